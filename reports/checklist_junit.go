package reports

import (
	"fmt"
	"strings"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/chaos-startup/chaos/contracts"
)

// checklistSuite has a test case for each item. One that blocks is a failure or an error; what blocks nothing is skipped.
func checklistSuite(r *Report, id int) junit.Testsuite {
	s := junit.Testsuite{Name: "checklist", ID: id, File: clean(r.File), Time: secondsText(0)}
	s.AddProperty("gate", map[bool]string{true: "open", false: "blocked"}[r.Gate.Open])
	s.AddProperty("enforced", fmt.Sprint(r.Gate.Enforced))
	for _, item := range r.Checklist {
		c := junit.Testcase{Name: clean(item.Name), Classname: "checklist", Time: secondsText(0), Status: string(item.Verdict)}
		if item.Verdict != contracts.Pass {
			lines := item.lines()
			result := &junit.Result{Message: clean(lines[0]), Type: string(item.Verdict), Data: cdata(strings.Join(lines, "\n"))}
			blocks := item.Required && r.Gate.Enforced
			switch {
			case blocks && item.Verdict == contracts.Error:
				c.Error = result
			case blocks && item.Verdict != contracts.Inconclusive:
				c.Failure = result
			default:
				c.Skipped = result
			}
		}
		s.AddTestcase(c)
	}
	return s
}
