package experiments

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// masked stands where a secret was.
const masked = "***"

var (
	// scheme://user:PASSWORD@host; an unescaped @ or : in the password still belongs to it.
	urlPassword = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"'<>]*:)([^\s/"'<>]+)@`)
	// password=..., PGPASSWORD=..., pwd=... in connection strings, queries and command lines, bare or quoted.
	keyPassword = regexp.MustCompile(`(?i)((?:password|passwd|pwd)\s*=\s*)('(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|[^\s&;,'"]+)`)
	// "password": "..." in JSON.
	jsonPassword = regexp.MustCompile(`(?i)("(?:[a-z_]*password|passwd|pwd)"\s*:\s*)"(?:[^"\\]|\\.)*"`)
)

// Forms lists how a secret may be written: as it is, in URLs and in JSON, and, when it has many lines, line by line.
func Forms(v string) []string {
	if v == "" {
		return nil
	}
	forms := []string{v, url.QueryEscape(v), url.PathEscape(v), strings.TrimPrefix(url.UserPassword("", v).String(), ":")}
	if quoted, err := json.Marshal(v); err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	for line := range strings.SplitSeq(v, "\n") {
		if line = strings.TrimSpace(line); len(line) >= 8 {
			forms = append(forms, line)
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// Passwords lists the passwords inside the URLs and connection strings of a text, as they are meant: without quotes and escapes.
func Passwords(text string) []string {
	var out []string
	for _, m := range urlPassword.FindAllStringSubmatch(text, -1) {
		if plain, err := url.PathUnescape(m[2]); err == nil {
			out = append(out, plain)
		} else {
			out = append(out, m[2])
		}
	}
	for _, m := range keyPassword.FindAllStringSubmatch(text, -1) {
		out = append(out, strings.Trim(m[2], `'"`))
	}
	return out
}

// Mask returns a function that hides the values, also as they are written in URLs and JSON, and every password inside a URL
// or connection string. It may be called from many goroutines.
func Mask(values []string) func(string) string {
	var forms []string
	for _, v := range values {
		forms = append(forms, Forms(v)...)
	}
	// The longest first: a secret may begin with another one.
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	var pairs []string
	for _, f := range slices.Compact(forms) {
		if f != "" && f != masked {
			pairs = append(pairs, f, masked)
		}
	}
	replace := strings.NewReplacer(pairs...)
	return func(text string) string {
		if len(pairs) > 0 {
			text = replace.Replace(text)
		}
		if strings.Contains(text, "://") {
			text = urlPassword.ReplaceAllString(text, "${1}"+masked+"@")
		}
		if strings.Contains(text, "=") { // most lines need none of the expressions, which are slow
			text = keyPassword.ReplaceAllString(text, "${1}"+masked)
		}
		if strings.Contains(text, `"`) {
			text = jsonPassword.ReplaceAllString(text, `${1}"`+masked+`"`)
		}
		return text
	}
}
