// Package analytics sends events to ClickHouse over HTTP.
//
// ClickHouse is optional: the package refuses to make anybody wait for it. An
// event that does not fit the queue, or that ClickHouse does not take, is
// counted and dropped.
package analytics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const queueLength = 256

// Event is one row of smd_events.
type Event struct {
	At     int64  `json:"at"` // Unix seconds
	Name   string `json:"name"`
	Thread string `json:"thread"`
}

// Client writes to one database. Start it once, Stop it once.
type Client struct {
	base     string
	database string
	http     *http.Client
	timeout  time.Duration

	ensured atomic.Bool
	dropped atomic.Int64
	running atomic.Bool
	queue   chan Event
	stop    context.CancelFunc
	done    sync.WaitGroup
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// New returns a client for a ClickHouse at base (http://host:port); timeout
// limits every insert of the background worker.
func New(base, database string, timeout time.Duration) (*Client, error) {
	if !identifier.MatchString(database) {
		return nil, fmt.Errorf("database name %q: expected letters, digits and underscores", database)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	return &Client{base: strings.TrimRight(base, "/") + "/", database: database, timeout: timeout,
		http: &http.Client{Transport: transport}, queue: make(chan Event, queueLength)}, nil
}

// Start runs the worker that sends recorded events, until Stop.
func (c *Client) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	c.running.Store(true)
	c.done.Go(func() {
		defer c.running.Store(false)
		for {
			select {
			case <-ctx.Done():
				return
			case event := <-c.queue:
				c.send(ctx, event)
			}
		}
	})
}

// Stop ends the worker at once and waits for it; what is queued is dropped.
func (c *Client) Stop() {
	if c.stop != nil {
		c.stop()
	}
	c.done.Wait()
	c.http.CloseIdleConnections()
}

// Record queues an event; it never blocks.
func (c *Client) Record(name, thread string) {
	select {
	case c.queue <- Event{At: time.Now().Unix(), Name: name, Thread: thread}:
	default:
		c.dropped.Add(1)
	}
}

// Running says whether the worker runs.
func (c *Client) Running() bool { return c.running.Load() }

// Dropped counts the events that were lost.
func (c *Client) Dropped() int64 { return c.dropped.Load() }

// Check proves that the table is there, creating it where needed, and that it
// takes a row.
func (c *Client) Check(ctx context.Context) error {
	return c.Insert(ctx, Event{At: time.Now().Unix(), Name: "check"})
}

// Ping proves that the server answers a query.
func (c *Client) Ping(ctx context.Context) error {
	return c.post(ctx, url.Values{}, "SELECT 1")
}

// Insert stores one event, creating database and table before the first.
func (c *Client) Insert(ctx context.Context, event Event) error {
	if err := c.ensure(ctx); err != nil {
		return err
	}
	row, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("insert %s: %w", event.Name, err)
	}
	query := "INSERT INTO " + c.database + ".smd_events (at, name, thread) FORMAT JSONEachRow"
	if err := c.post(ctx, url.Values{"query": {query}}, string(row)); err != nil {
		return fmt.Errorf("insert %s: %w", event.Name, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, event Event) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := c.Insert(ctx, event); err != nil {
		c.dropped.Add(1)
	}
}

func (c *Client) ensure(ctx context.Context) error {
	if c.ensured.Load() {
		return nil
	}
	if c.database != "default" {
		if err := c.post(ctx, url.Values{}, "CREATE DATABASE IF NOT EXISTS "+c.database); err != nil {
			return fmt.Errorf("create database %s: %w", c.database, err)
		}
	}
	table := "CREATE TABLE IF NOT EXISTS " + c.database +
		".smd_events (at DateTime, name String, thread String) ENGINE = MergeTree() ORDER BY at"
	if err := c.post(ctx, url.Values{}, table); err != nil {
		return fmt.Errorf("create table smd_events: %w", err)
	}
	c.ensured.Store(true)
	return nil
}

func (c *Client) post(ctx context.Context, query url.Values, body string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"?"+query.Encode(), strings.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			return wrapped.Err // without the URL, which holds the whole statement
		}
		return err
	}
	defer response.Body.Close() //nolint:errcheck // read-only
	text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		first, _, _ := strings.Cut(string(text), "\n")
		return fmt.Errorf("%s: %.200s", response.Status, first)
	}
	return nil
}
