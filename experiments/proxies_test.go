package experiments

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/chaos-startup/chaos/faults"
)

// colons are checks that want a colon in an address, and a known type.
var colons = ProxyChecks{
	Listen: colon, Upstream: colon,
	Toxic: func(t ProxyToxic) []faults.Problem {
		if t.Type == "latency" {
			return nil
		}
		return []faults.Problem{{Param: "type", Text: "no such toxic"}}
	},
}

func colon(address string) error {
	if !strings.Contains(address, ":") {
		return errors.New(address + " has no colon")
	}
	return nil
}

func TestProxiesOfEveryForm(t *testing.T) {
	half := 0.5
	want := []Proxy{{Name: "a", Listen: "l:1", Upstream: "u:1", Enabled: true, Toxics: []ProxyToxic{
		{Type: "latency", Stream: "upstream", Toxicity: &half, Attributes: map[string]any{"latency": 5, "x": "3s"}},
		{Type: "latency", Name: "second"},
	}}, {Name: "b", Upstream: "u:2"}}
	for name, text := range map[string]string{
		"JSON": "[{\"name\":\"a\",\n\t\"listen\":\"l:1\",\"upstream\":\"u:1\",\"toxics\":[{\"type\":\"latency\",\"stream\":\"upstream\",\"toxicity\":0.5,\"attributes\":{\"latency\":5,\"x\":\"3s\"}}," +
			"{\"type\":\"latency\",\"name\":\"second\",\"attributes\":null}]},\n\t{\"name\":\"b\",\"upstream\":\"u:2\",\"enabled\":false,\"toxics\":null}]",
		"YAML": "proxies:\n- name: a\n  listen: l:1\n  upstream: u:1\n  toxics:\n  - {type: latency, stream: upstream, toxicity: 0.5, attributes: {latency: 5, x: 3s}}\n" +
			"  - {type: latency, name: second}\n- {name: b, upstream: 'u:2', enabled: false}\nx-note: 1\n",
		"a list": "- {name: a, listen: 'l:1', upstream: 'u:1', toxics: [{type: latency, stream: upstream, toxicity: 0.5, attributes: {latency: 5, x: 3s}}, " +
			"{type: latency, name: second}]}\n- {name: b, upstream: 'u:2', enabled: false}\n",
	} {
		got, err := loadProxies("f", []byte(text), Options{}, colons)
		require.NoError(t, err, name)
		assert.Equal(t, want, got, name)
	}
}

func TestWrongProxies(t *testing.T) {
	for text, says := range map[string]string{
		"":                                   "f: the file is empty",
		"5":                                  "f:1:1: a list is needed here, not the number 5",
		"[5]":                                "f:1:2: a proxy is a mapping, not the number 5",
		"proxies: 5":                         "f:1:10: a list is needed here",
		"proxys: []":                         "did you mean `proxies`?",
		"[{name: a}]":                        "f:1:2: a proxy has no `upstream`",
		"[{name: '', upstream: 'a:1'}]":      "f:1:9: text is needed here",
		"[{name: a, upstream: a}]":           "f:1:22: a has no colon",
		"[{name: a, upstream: 'a:1', x: 1}]": "unknown field `x` in a proxy",
		"[{name: a, upstream: 'a:1', toxics: [{stream: upstream}]}]":                                         "a toxic has no `type`",
		"[{name: a, upstream: 'a:1', toxics: [{type: late}]}]":                                               "f:1:45: no such toxic",
		"[{name: a, upstream: 'a:1', toxics: [{type: latency, toxicity: [1]}]}]":                             "a number from 0 to 1 is needed here, not a list",
		"[{name: a, upstream: 'a:1', toxics: [{type: latency, attributes: 5}]}]":                             "the attributes of a toxic is a mapping",
		"[{name: a, upstream: 'a:1', toxics: [{type: latency}, {type: latency, name: latency_downstream}]}]": "the proxy has a toxic `latency_downstream` already",
		"[{name: a, upstream: 'a:1'}, {name: a, upstream: 'a:1'}]":                                           "there is a proxy `a` already, on line 1",
		"[{name: a, name: b, upstream: 'a:1'}]":                                                              "`name` is given twice",
		"dependencies: {}":                                                                                   "has no `version`",
	} {
		_, err := loadProxies("f", []byte(text), Options{}, colons)
		var problems Problems
		require.ErrorAs(t, err, &problems, text)
		assert.Contains(t, err.Error(), says, text)
	}
}

// FuzzLoadProxies: whatever a file holds, it is read or refused with places, and what is read has what a proxy needs.
func FuzzLoadProxies(f *testing.F) {
	f.Add(`[{"name":"a","listen":"l:1","upstream":"u:1","enabled":false,"toxics":[{"type":"latency","toxicity":1,"attributes":{"latency":1}}]}]`)
	f.Add("proxies: &p\n- &a {name: a, upstream: 'u:1', toxics: [{type: latency, attributes: *p}]}\n- <<: *a\n")
	f.Add("dependencies: {a: {upstream: 'u:1'}}")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := loadProxies("f", []byte(text), Options{}, colons)
		var problems Problems
		if err != nil {
			require.ErrorAs(t, err, &problems)
			require.NotEmpty(t, problems)
			return
		}
		for _, p := range list {
			require.NotEmpty(t, p.Name)
			require.NotEmpty(t, p.Upstream)
		}
	})
}
