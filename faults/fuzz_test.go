package faults

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
)

// FuzzParse: whatever a file says, Parse does not panic, and what it lets through is complete and in range.
func FuzzParse(f *testing.F) {
	for _, k := range Builtin() {
		f.Add(k.Name, `null`)
		f.Add(k.Name, `"3s"`)
		f.Add(k.Name, `-1`)
	}
	f.Add("latency", `{"delay": "3s", "jitter": 0, "connect": true, "dealy": [1]}`)
	f.Add("slicer", `{"average_size": 2, "size_variation": 3}`)
	f.Add("bandwidth", `1e300`)
	f.Add("ltnc", `{`)
	f.Fuzz(func(t *testing.T, kind, text string) {
		var value any
		if json.Unmarshal([]byte(text), &value) != nil {
			value = text
		}
		spec, problems := Parse(kind, value)
		if len(problems) > 0 {
			assert.Equal(t, Spec{}, spec)
			for _, p := range problems {
				assert.NotEmpty(t, p.Text)
			}
			return
		}
		sound(t, spec)
	})
}

// sound holds a parsed Spec against the description of its kind, and makes its behaviour.
func sound(t *testing.T, spec Spec) {
	t.Helper()
	k, ok := Lookup(spec.Kind)
	if !assert.True(t, ok) {
		return
	}
	assert.Len(t, spec.Params, len(k.Params))
	for _, p := range k.Params {
		v, mistake, _ := p.read(spec.Params[p.Name])
		assert.Empty(t, mistake)
		assert.Equal(t, v, spec.Params[p.Name], "it has the type of the parameter")
		assert.IsType(t, p.Default, v)
	}
	assert.NotEmpty(t, spec.String())
	b := spec.Behaviour()
	if b.Filter != nil {
		b.Filter(Downstream, seeded())
		b.Filter(Upstream, seeded())
	}
	if b.Connect != nil {
		assert.GreaterOrEqual(t, b.Connect(seeded()), 0*b.After)
	}
	assert.GreaterOrEqual(t, b.After, 0*b.After)
	if spec.Kind == "slicer" {
		assert.LessOrEqual(t, spec.Int("size_variation"), spec.Int("average_size"))
	}
}
