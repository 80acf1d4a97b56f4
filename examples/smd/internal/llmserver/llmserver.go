// Package llmserver is a language model API without a language model: the
// answer repeats the question, so that a test can foretell it.
//
// It refuses to be random: the same request gets the same answer.
package llmserver

import (
	"encoding/json"
	"net/http"
)

// Model is the one model on offer.
const Model = "smd-echo-1"

// New returns the API: GET /v1/models, POST /v1/chat/completions, GET /healthz.
func New() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"object": "list",
			"data": []map[string]string{{"id": Model, "object": "model"}}})
	})
	mux.HandleFunc("POST /v1/chat/completions", complete)
	return mux
}

func complete(w http.ResponseWriter, r *http.Request) {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	var ask struct {
		Model    string    `json:"model"`
		Messages []message `json:"messages"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&ask)
	if err != nil || len(ask.Messages) == 0 {
		reply(w, http.StatusBadRequest, map[string]any{"error": map[string]string{
			"message": `expected {"model": NAME, "messages": [{"role": "user", "content": TEXT}]}`}})
		return
	}
	last := ask.Messages[len(ask.Messages)-1].Content
	reply(w, http.StatusOK, map[string]any{"object": "chat.completion", "model": Model, "choices": []map[string]any{
		{"index": 0, "finish_reason": "stop", "message": message{"assistant", "You said: " + last}}}})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nothing to do
}
