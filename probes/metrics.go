package probes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func metricsKind() Kind {
	return Kind{
		Name: "metrics",
		Doc: "Reads a page of metrics as Prometheus would (its text format, at most 4 MiB) and compares every sample with that name and those labels; there " +
			"must be one. op is ==, !=, <, <=, > or >=. A page that Prometheus could not read does not hold, whatever the sample.",
		Example: "metrics:\n  url: http://127.0.0.1:8080/metrics\n  name: worker_up\n  labels: {worker: mailer}\n  op: '>='\n  value: 1",
		used:    func(s Spec) bool { return s.Metrics != nil },
		build:   func(s Spec, _ Env) (attempt, error) { return s.Metrics.build() },
	}
}

// maxMetrics is how much of a page of metrics is read.
const maxMetrics = 4 << 20

// comparisons are the operators of PromQL.
var comparisons = map[string]func(got, want float64) bool{
	"==": func(got, want float64) bool { return got == want },
	"!=": func(got, want float64) bool { return got != want },
	"<":  func(got, want float64) bool { return got < want },
	"<=": func(got, want float64) bool { return got <= want },
	">":  func(got, want float64) bool { return got > want },
	">=": func(got, want float64) bool { return got >= want },
}

type metricsProbe struct {
	spec  Metrics
	http  httpProbe
	holds func(got, want float64) bool
}

func (m Metrics) build() (attempt, error) {
	headers := map[string]string{"Accept": "text/plain;version=0.0.4"}
	maps.Copy(headers, m.Headers)
	request := HTTP{URL: m.URL, Headers: headers, Status: 200}
	p := metricsProbe{spec: m}
	var secrets []string
	var errs []error
	var err error
	if p.http, secrets, err = request.parse(); err != nil {
		errs = append(errs, err)
	}
	p.http.limit = maxMetrics
	if !model.IsValidLegacyMetricName(m.Name) {
		errs = append(errs, fmt.Errorf("name %q: expected the name of a sample, for example http_requests_total", m.Name))
	}
	for name := range m.Labels {
		if !model.LabelName(name).IsValidLegacy() {
			errs = append(errs, fmt.Errorf("labels: %q cannot be the name of a label", name))
		}
	}
	op := m.Op
	if op == "" {
		op = "=="
	}
	if p.spec.Op = op; comparisons[op] == nil {
		errs = append(errs, fmt.Errorf("op %q: expected one of %s", m.Op, strings.Join(slices.Sorted(maps.Keys(comparisons)), ", ")))
	}
	if m.Value == nil && m.Op != "" {
		errs = append(errs, errors.New("op needs value, the number to compare with"))
	}
	p.holds = comparisons[op]
	return attempt{p.ask, secrets}, errors.Join(errs...)
}

// selector writes what is looked for as PromQL does.
func (m Metrics) selector() string {
	if len(m.Labels) == 0 {
		return m.Name
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m.Labels)) {
		parts = append(parts, name+"="+strconv.Quote(m.Labels[name]))
	}
	return m.Name + "{" + strings.Join(parts, ", ") + "}"
}

func (p metricsProbe) ask(ctx context.Context) (Answer, error) {
	answer, got, err := p.http.request(ctx)
	if err != nil {
		return answer, err
	}
	if err := p.http.check(got); err != nil {
		return answer, err
	}
	if got.cut {
		return answer, expected(p.http.what, "a page of metrics", "more than 4 MiB")
	}
	samples, err := readMetrics(got.body)
	if err != nil {
		return answer, expected(p.http.what, "a page of metrics", "one that Prometheus cannot read: "+short(err.Error()))
	}
	return p.compare(answer, samples)
}

// readMetrics returns every sample of a page.
func readMetrics(page []byte) (all model.Vector, err error) {
	defer func() { // the parser panics on some pages that are none, such as {} in a line
		if recover() != nil {
			all, err = nil, errors.New("text format parsing error")
		}
	}()
	parser := expfmt.TextParser{}
	families, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, families[name])
		if err != nil {
			return nil, err
		}
		all = append(all, samples...)
	}
	return all, nil
}

// compare looks at every sample that is meant. The answer is the value of the one that decided.
func (p metricsProbe) compare(answer Answer, samples model.Vector) (Answer, error) {
	want := "a sample " + p.spec.selector()
	if p.spec.Value != nil {
		want = p.spec.selector() + " " + p.spec.Op + " " + number(*p.spec.Value)
	}
	found := false
	var near []string
	for _, s := range samples {
		if string(s.Metric[model.MetricNameLabel]) != p.spec.Name {
			continue
		}
		if !p.means(s.Metric) {
			near = append(near, s.Metric.String())
			continue
		}
		found = true
		answer.Body = number(float64(s.Value))
		if p.spec.Value != nil && !p.holds(float64(s.Value), *p.spec.Value) {
			return answer, expected(p.http.what, want, s.Metric.String()+" "+answer.Body)
		}
	}
	switch {
	case found:
		return answer, nil
	case len(near) > 0:
		return answer, expected(p.http.what, want, "only "+short(strings.Join(near, ", ")))
	}
	return answer, expected(p.http.what, want, "none of that name")
}

// means says whether a sample has the labels that are asked for.
func (p metricsProbe) means(m model.Metric) bool {
	for name, value := range p.spec.Labels {
		if string(m[model.LabelName(name)]) != value {
			return false
		}
	}
	return true
}

func number(v float64) string {
	if math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
