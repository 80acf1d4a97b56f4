package probes

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serveHTTP answers every request by answer, which is told the body.
func serveHTTP(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, body string)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			answer(w, r, string(body))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// exporter is a page of Prometheus' own client library.
func exporter(t *testing.T) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	workers := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "worker_up", Help: "Is it?"}, []string{"worker", "zone"})
	turns := prometheus.NewCounter(prometheus.CounterOpts{Name: "turns_total", Help: "Many."})
	seconds := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "turn_seconds", Help: "How long.", Buckets: []float64{1, 10}})
	registry.MustRegister(workers, turns, seconds)
	workers.WithLabelValues("mailer", "a").Set(1)
	workers.WithLabelValues("mailer", "b").Set(1)
	workers.WithLabelValues("indexer", "a").Set(0)
	turns.Add(42)
	seconds.Observe(0.5)
	seconds.Observe(3)
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestMetrics(t *testing.T) {
	page := exporter(t)
	value := func(v float64) *float64 { return &v }
	mailer := map[string]string{"worker": "mailer"}
	for name, c := range map[string]struct {
		metrics Metrics
		want    string // "": it holds
	}{
		"exists":      {Metrics{Name: "turns_total"}, ""},
		"equals":      {Metrics{Name: "turns_total", Value: value(42)}, ""},
		"at least":    {Metrics{Name: "turns_total", Op: ">=", Value: value(42)}, ""},
		"not":         {Metrics{Name: "turns_total", Op: "!=", Value: value(0)}, ""},
		"labels":      {Metrics{Name: "worker_up", Labels: mailer, Value: value(1)}, ""},
		"bucket":      {Metrics{Name: "turn_seconds_bucket", Labels: map[string]string{"le": "1"}, Value: value(1)}, ""},
		"sum":         {Metrics{Name: "turn_seconds_sum", Op: "<", Value: value(4)}, ""},
		"count":       {Metrics{Name: "turn_seconds_count", Op: "<=", Value: value(2)}, ""},
		"other value": {Metrics{Name: "turns_total", Op: ">", Value: value(42)}, `: expected turns_total > 42, got turns_total 42`},
		"one of many": {Metrics{Name: "worker_up", Value: value(1)}, `: expected worker_up == 1, got worker_up{worker="indexer", zone="a"} 0`},
		"one of those": {Metrics{Name: "worker_up", Labels: map[string]string{"zone": "a"}, Value: value(1)},
			`: expected worker_up{zone="a"} == 1, got worker_up{worker="indexer", zone="a"} 0`},
		"no label": {Metrics{Name: "worker_up", Labels: map[string]string{"worker": "sender"}},
			`: expected a sample worker_up{worker="sender"}, got only worker_up{`},
		"no name":   {Metrics{Name: "turns"}, ": expected a sample turns, got none of that name"},
		"histogram": {Metrics{Name: "turn_seconds"}, ": expected a sample turn_seconds, got none of that name"},
	} {
		t.Run(name, func(t *testing.T) {
			c.metrics.URL = page
			_, err := ask(t, Spec{Metrics: &c.metrics}, Env{})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, "GET "+page+c.want)
		})
	}
}

func TestMetricsOfABadPage(t *testing.T) {
	for name, c := range map[string]struct{ page, want string }{
		"html":          {"<html>", "got one that Prometheus cannot read: text format parsing error in line 1"},
		"a broken line": {"up 1\nother{x=1} 2\n", "text format parsing error in line 2"},
		"types twice":   {"# TYPE up gauge\nup 1\n# TYPE up counter\n", "second TYPE line"},
		"no end":        {"up 1", "unexpected end of input"},
		"braces":        {"{}\n", "got one that Prometheus cannot read"},
		"json":          {`{"up": 1}`, "got one that Prometheus cannot read"},
		"huge":          {strings.Repeat("# a comment that nobody reads\n", 160_000) + "up 1\n", "got more than 4 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			url := serveHTTP(t, func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = io.WriteString(w, c.page) })
			_, err := ask(t, Spec{Metrics: &Metrics{URL: url, Name: "up"}}, Env{})
			require.ErrorContains(t, err, "expected a page of metrics")
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestMetricsOfAPageBehindALogin(t *testing.T) {
	url := serveHTTP(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.Header.Get("Authorization") != "Bearer "+secret {
			http.Error(w, "who is "+r.Header.Get("Authorization"), http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "up 1\n")
	})
	m := Metrics{URL: url, Name: "up", Headers: map[string]string{"Authorization": "Bearer " + secret}}
	_, err := ask(t, Spec{Metrics: &m}, Env{})
	require.NoError(t, err)
	m.Headers["Authorization"] = "Basic " + secret
	_, err = ask(t, Spec{Metrics: &m}, Env{})
	require.ErrorContains(t, err, "expected status 200, got 401: who is xxxxx")
}

func FuzzReadMetrics(f *testing.F) {
	for _, s := range []string{"", "up 1\n", "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n", "up{a=\"b\"} NaN 12\n", "up{", "# TYPE s summary\ns{quantile=\"0.5\"} 1\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		samples, err := readMetrics(page)
		if err == nil && len(samples) > 4*len(page) {
			t.Fatalf("%d samples out of %d bytes", len(samples), len(page))
		}
	})
}
