// Package llm is the client of the language model's HTTP API.
//
// It refuses to guess: a status other than 200 or an empty answer is an error.
package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const answerLimit = 1 << 20

// Client talks to one API; safe for concurrent use.
type Client struct {
	base string
	http *http.Client
}

// New returns a client for an API at base (http://host:port).
func New(base string) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Calls are few and long, and the API stands behind a balancer that spreads
	// connections, not requests: each call gets a connection of its own.
	transport.DisableKeepAlives = true
	transport.Proxy = nil
	return &Client{base: strings.TrimRight(base, "/"), http: &http.Client{Transport: transport}}
}

// Models lists the models on offer; none at all is an error.
func (c *Client) Models(ctx context.Context) ([]string, error) {
	var answer struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := c.call(ctx, http.MethodGet, "/v1/models", nil, &answer); err != nil {
		return nil, err
	}
	var names []string
	for _, m := range answer.Data {
		names = append(names, m.ID)
	}
	if len(names) == 0 {
		return nil, errors.New("GET /v1/models: the list is empty")
	}
	return names, nil
}

// Complete returns the answer to one prompt.
func (c *Client) Complete(ctx context.Context, prompt string) (string, error) {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	question := map[string]any{"model": "smd-echo-1", "messages": []message{{"user", prompt}}}
	var answer struct {
		Choices []struct {
			Message message `json:"message"`
		} `json:"choices"`
	}
	if err := c.call(ctx, http.MethodPost, "/v1/chat/completions", question, &answer); err != nil {
		return "", err
	}
	if len(answer.Choices) == 0 || answer.Choices[0].Message.Content == "" {
		return "", errors.New("POST /v1/chat/completions: the answer is empty")
	}
	return answer.Choices[0].Message.Content, nil
}

func (c *Client) call(ctx context.Context, method, path string, question, answer any) error {
	var body io.Reader
	if question != nil {
		text, err := json.Marshal(question)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // read-only
	text, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", method, path, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s %s: not the JSON that was expected: %w", method, path, err)
	}
	return nil
}
