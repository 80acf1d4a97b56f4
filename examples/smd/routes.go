package main

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/chaos-startup/chaos/examples/smd/internal/tokens"
)

const bodyLimit = 64 << 10

// routes is everything the service answers, behind the gate.
func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.live)
	mux.HandleFunc("GET /health/ready", s.ready)
	mux.HandleFunc("GET /health/startup", s.progress)
	mux.Handle("GET /metrics", s.metrics())
	mux.HandleFunc("POST /api/threads", s.createThread)
	mux.HandleFunc("GET /api/threads/{id}", s.readThread)
	mux.HandleFunc("GET /api/me", s.me)
	mux.HandleFunc("GET /api/limited", s.limited)
	mux.HandleFunc("GET /ws", s.chat)
	return s.gate(s.cors(mux))
}

// isObserved says whether a path is for those who watch the service.
func isObserved(path string) bool {
	return path == "/health" || path == "/metrics" || strings.HasPrefix(path, "/health/")
}

// gate lets only health and metrics through until the startup is complete.
func (s *service) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isObserved(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		if s.open.Load() {
			s.admit(w, r, next)
			return
		}
		snap := s.state.Snapshot()
		if r.URL.Path == "/ws" && s.config.Defects.Has(EarlyWebSocket) && snap.Phase != "" &&
			snap.Phase != phaseInit && snap.Phase != phaseDependencies { // defect: early-websocket
			s.rejectLate(w, r)
			return
		}
		if s.config.Defects.Has(EarlyError) { // defect: early-error
			reply(w, http.StatusInternalServerError, map[string]string{"error": "the supervisor is null"})
			return
		}
		w.Header().Set("Retry-After", "1")
		reply(w, http.StatusServiceUnavailable, map[string]string{
			"status": snap.Status, "phase": snap.Phase, "error": "the service is still starting"})
	})
}

// cors lets browsers from one origin in and answers their preflights.
func (s *service) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		allowed := origin != "" && origin == s.config.CORSOrigin
		if s.config.Defects.Has(AnyOrigin) { // defect: any-origin
			allowed = origin != ""
		}
		w.Header().Add("Vary", "Origin")
		if allowed {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
		}
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			next.ServeHTTP(w, r)
			return
		}
		if !allowed {
			reply(w, http.StatusForbidden, map[string]string{"error": "this origin is not allowed"})
			return
		}
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		w.Header().Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
	})
}

// me answers GET /api/me for the bearer of a valid token.
func (s *service) me(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		unauthorized(w, "a bearer token is needed")
		return
	}
	subject, err := s.keys.Subject(r.Context(), token)
	if err != nil && s.config.Defects.Has(NoAuth) { // defect: no-auth
		subject, err = tokens.Unverified(token)
	}
	if s.config.Defects.Has(AcceptExpired) && tokens.IsExpired(err) { // defect: accept-expired
		subject, err = tokens.Unverified(token)
	}
	if err != nil {
		unauthorized(w, "the token is not valid: "+err.Error())
		return
	}
	reply(w, http.StatusOK, map[string]string{"user": subject})
}

func unauthorized(w http.ResponseWriter, why string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="smd"`)
	reply(w, http.StatusUnauthorized, map[string]string{"error": why})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nothing to do
}
