// Package toxiproxy stands in for Toxiproxy's own when its test suite is run against chaos: the same Go API, carried out by requests to the HTTP API
// that listens where the suite expects its own.
package toxiproxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/Shopify/toxiproxy/v2/collectors"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

const api = "http://127.0.0.1:8475"

var (
	ErrProxyAlreadyStarted = errors.New("Proxy already started")
	count                  atomic.Int64
)

type metricsContainer struct {
	ProxyMetrics *collectors.ProxyMetricCollectors
}

func NewMetricsContainer(*prometheus.Registry) *metricsContainer { return &metricsContainer{} }

type ApiServer struct {
	Collection *ProxyCollection
	Metrics    *metricsContainer
}

func NewServer(m *metricsContainer, _ zerolog.Logger) *ApiServer {
	return &ApiServer{Collection: &ProxyCollection{}, Metrics: m}
}

// Listen has nothing to do: chaos listens there already.
func (*ApiServer) Listen(string) error { return nil }

type ProxyCollection struct{}

func (*ProxyCollection) Clear() error {
	var all map[string]json.RawMessage
	if err := ask("GET", "/proxies", nil, &all); err != nil {
		return err
	}
	for name := range all {
		if err := ask("DELETE", "/proxies/"+name, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

type Proxy struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Upstream string `json:"upstream"`
	Enabled  bool   `json:"enabled"`

	Toxics *ToxicCollection `json:"-"`
}

func NewProxy(_ *ApiServer, name, listen, upstream string) *Proxy {
	p := &Proxy{Name: fmt.Sprintf("%s-%d-%d", name, os.Getpid(), count.Add(1)), Listen: listen, Upstream: upstream}
	p.Toxics = &ToxicCollection{p}
	return p
}

func (p *Proxy) Start() error {
	if p.Enabled {
		return ErrProxyAlreadyStarted
	}
	asked := *p
	asked.Enabled = true
	return ask("POST", "/proxies", asked, p)
}

func (p *Proxy) Stop() {
	if !p.Enabled {
		return
	}
	if err := ask("DELETE", "/proxies/"+p.Name, nil, nil); err != nil {
		panic(err)
	}
	p.Enabled = false
}

func (p *Proxy) Update(input *Proxy) error { return ask("PATCH", "/proxies/"+p.Name, input, p) }

type ToxicCollection struct{ proxy *Proxy }

func (c *ToxicCollection) AddToxicJson(r io.Reader) (*toxics.ToxicWrapper, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var fields map[string]any // the suite sends the empty stream, which the real HTTP API refuses
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	if fields["stream"] == "" {
		delete(fields, "stream")
	}
	return nil, ask("POST", "/proxies/"+c.proxy.Name+"/toxics", fields, nil)
}

func (c *ToxicCollection) RemoveToxic(_ context.Context, name string) error {
	return ask("DELETE", "/proxies/"+c.proxy.Name+"/toxics/"+name, nil, nil)
}

func (c *ToxicCollection) ResetToxics(context.Context) {
	if err := ask("POST", "/reset", nil, nil); err != nil {
		panic(err)
	}
}

// ask sends a request. What is answered is laid over what out points to.
func ask(method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	r, err := http.NewRequest(method, api+path, &body)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode > 299 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
