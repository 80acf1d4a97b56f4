package experiments

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// check says what is wrong with a text, or "". Variables that are known only later count as plain words.
func (f format) check(text string) string {
	switch f {
	case formatRegexp:
		_, err := compile(text)
		return err
	case formatPhaseRE:
		re, err := compile(text)
		if err == "" && !slices.Contains(re.SubexpNames(), "phase") {
			return `the regular expression has no group named phase: write (?P<phase>\w+) where the name stands`
		}
		return err
	case formatURL:
		return checkURL(text, "http", "https")
	case formatWSURL:
		return checkURL(text, "ws", "wss")
	case formatAddress:
		return checkAddress(text)
	case formatPath:
		if !strings.HasPrefix(text, "$") {
			return fmt.Sprintf("the path %q must begin with $, for example $.status", text)
		}
	}
	return ""
}

// compile compiles a regular expression in which variables are still to be replaced.
func compile(text string) (*regexp.Regexp, string) {
	re, err := regexp.Compile(text)
	if err != nil {
		re, err = regexp.Compile(placeholders(text, "x"))
	}
	if err != nil {
		return nil, fmt.Sprintf("the regular expression does not compile: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re, ""
}

func checkURL(text string, schemes ...string) string {
	if strings.HasPrefix(text, "${") {
		return ""
	}
	u, err := url.Parse(placeholders(text, "1"))
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" {
		return fmt.Sprintf("%q is not a URL that begins with %s://", text, strings.Join(schemes, ":// or "))
	}
	return ""
}

// checkAddress wants host:port. ${name} may stand for the whole, or for either part.
func checkAddress(text string) string {
	if strings.HasPrefix(text, "${") && strings.HasSuffix(text, "}") && strings.Count(text, "${") == 1 {
		return ""
	}
	host, port, err := net.SplitHostPort(placeholders(text, "1"))
	if err != nil || host == "" {
		return fmt.Sprintf("%q is not an address: write host:port, for example 127.0.0.1:5432", text)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Sprintf("%q is not a port from 0 to 65535", port)
	} else if n == 0 && port != "0" {
		return fmt.Sprintf("%q is not a port from 0 to 65535", port)
	}
	return ""
}
