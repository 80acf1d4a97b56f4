package reports

import (
	"strings"
)

// retries tells how each dependency was tried again in vain, unless a reason of the verdict has told it.
func (p *printer) retries(t Trial, indent string) {
	for _, name := range sortedKeys(t.Dependencies) {
		r := t.Dependencies[name].Retries
		if r == nil || r.Attempts < 2 {
			continue
		}
		told := false
		for _, reason := range t.Reasons {
			told = told || strings.Contains(reason.Text, r.Text)
		}
		if !told {
			p.line("%s%s: %s", indent, name, oneLine(r.Text))
		}
	}
}
