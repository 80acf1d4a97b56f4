package toxiapi

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics serves Toxiproxy's metrics and ours. All is made and read when it is asked for: traffic pays nothing for it.
func (s *Server) metrics() http.Handler {
	collect := sync.OnceValue(s.collect)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { collect().ServeHTTP(w, r) })
}

func (s *Server) collect() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newGauge(s.all))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry})
}

// gauge reads the figures of all proxies.
type gauge struct {
	all                        *collection
	received, sent             *prometheus.Desc
	accepted, open, connection *prometheus.Desc
	unreached                  *prometheus.Desc
}

func newGauge(all *collection) *gauge {
	labels := []string{"direction", "proxy", "listener", "upstream"}
	return &gauge{
		all:      all,
		received: prometheus.NewDesc("toxiproxy_proxy_received_bytes_total", "Bytes that came in, by the direction in which they go.", labels, nil),
		sent:     prometheus.NewDesc("toxiproxy_proxy_sent_bytes_total", "Bytes that were passed on, by the direction in which they go.", labels, nil),
		accepted: prometheus.NewDesc("chaos_proxy_connections_total", "Connections that were accepted.", []string{"proxy"}, nil),
		unreached: prometheus.NewDesc("chaos_proxy_upstream_errors_total", "Connections that ended because the upstream could not be reached.",
			[]string{"proxy"}, nil),
		open: prometheus.NewDesc("chaos_proxy_connections_open", "Connections that are open.", []string{"proxy"}, nil),
		connection: prometheus.NewDesc("chaos_proxy_toxic_connections_total", "Connections that met the toxic.",
			[]string{"proxy", "toxic", "type"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (g *gauge) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.received, g.sent, g.accepted, g.open, g.connection, g.unreached} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauge) Collect(out chan<- prometheus.Metric) {
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for _, e := range g.all.ordered() {
		c := e.counted()
		counter(g.received, c.receivedUp, upstream, e.Name, e.Listen, e.Upstream)
		counter(g.sent, c.up, upstream, e.Name, e.Listen, e.Upstream)
		counter(g.received, c.receivedDown, downstream, e.Name, e.Listen, e.Upstream)
		counter(g.sent, c.down, downstream, e.Name, e.Listen, e.Upstream)
		if e.front == nil {
			continue
		}
		s := e.front.Stats()
		counter(g.accepted, int64(s.Accepted), e.Name)
		counter(g.unreached, int64(s.Unreached), e.Name)
		out <- prometheus.MustNewConstMetric(g.open, prometheus.GaugeValue, float64(s.Open), e.Name)
		for _, t := range e.Toxics {
			counter(g.connection, int64(s.Fault(t.Name).ConnectionsHit), e.Name, t.Name, t.Type)
		}
	}
}
