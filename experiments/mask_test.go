package experiments

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMask(t *testing.T) {
	mask := Mask([]string{"s3cr&t", "s3cr&t-longer", "", `quo"te`, "line one of a key\nline two of a key"})
	for in, want := range map[string]string{
		"":                                  "",
		"nothing to see":                    "nothing to see",
		"token s3cr&t, s3cr&t-longer.":      "token ***, ***.",
		"/x?token=s3cr%26t&b=1":             "/x?token=***&b=1",
		`{"a":"quo\"te"}`:                   `{"a":"***"}`,
		"bad key: line two of a key!":       "bad key: ***!",
		"postgres://app:hunter2@db:5432/x":  "postgres://app:***@db:5432/x",
		"redis://:p@ss:word@h:1,":           "redis://:***@h:1,",
		"http://127.0.0.1:8080/a?b=c@d":     "http://127.0.0.1:8080/a?b=c@d",
		"postgres://app@db/x":               "postgres://app@db/x",
		"host=db password=hunter2 user=app": "host=db password=*** user=app",
		"password='it''s' x":                "password=*** x",
		"PGPASSWORD=hunter2 psql":           "PGPASSWORD=*** psql",
		`"password": "hunter\"2", "a": 1`:   `"password": "***", "a": 1`,
		"jdbc:x?user=a&Password=b&ssl=true": "jdbc:x?user=a&Password=***&ssl=true",
	} {
		require.Equal(t, want, mask(in), in)
		require.Equal(t, mask(in), mask(mask(in)), "masking twice changes nothing")
	}
}
