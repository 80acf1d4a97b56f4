package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics answers GET /metrics for Prometheus, during the startup too.
func (s *service) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	gauge := func(name, help string, labels prometheus.Labels, value func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, value))
	}
	gauge("smd_open", "Whether requests are let in.", nil, func() float64 { return one(s.open.Load()) })
	gauge("smd_chats", "How many chats are open.", nil, func() float64 { return float64(s.hub.count()) })
	if s.analytics != nil {
		gauge("smd_worker_up", "Whether a background worker runs.", prometheus.Labels{"worker": "analytics"},
			func() float64 { return one(s.analytics.Running()) })
		registry.MustRegister(prometheus.NewCounterFunc(
			prometheus.CounterOpts{Name: "smd_events_dropped_total", Help: "Events that ClickHouse never got."},
			func() float64 { return float64(s.analytics.Dropped()) }))
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
