package experiments

import (
	_ "embed"
	"regexp"
)

//go:embed checklist_template.yaml
var checklistTemplate string

// starterCovers is what the template says of the items that a starter file can show.
var starterCovers = regexp.MustCompile(`\{\{covers "([^"]+)"\}\}`)

// ChecklistTemplate returns the key `checklist` with the validations that a startup needs, none of them covered yet: to put at the
// end of an experiments file. It begins with an empty line.
func ChecklistTemplate() string { return checklistText(false) }

// checklistText fills the template in: for a starter file with what its own experiments show.
func checklistText(starter bool) string {
	if starter {
		return starterCovers.ReplaceAllString(checklistTemplate, "[$1]")
	}
	return starterCovers.ReplaceAllString(checklistTemplate, "[]                    # as $1")
}
