package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/chaos-startup/chaos/examples/smd/internal/session"
	"github.com/chaos-startup/chaos/examples/smd/internal/startup"
	"github.com/chaos-startup/chaos/examples/smd/internal/store"
)

// requestLimit is how long a request may wait for its dependencies.
const requestLimit = 5 * time.Second

// The kinds of things in the cache.
const (
	kindThread  = "thread"
	kindSession = "session"
)

// createThread answers POST /api/threads {"title": TEXT} with 201.
func (s *service) createThread(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Title string `json:"title"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit)).Decode(&ask); err != nil || ask.Title == "" {
		reply(w, http.StatusBadRequest, map[string]string{"error": `expected {"title": TEXT}`})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestLimit)
	defer cancel()
	thread, err := s.newThread(ctx, ask.Title)
	if err != nil {
		s.unavailable(w, err)
		return
	}
	w.Header().Set("Location", "/api/threads/"+thread.ID)
	reply(w, http.StatusCreated, thread)
}

// newThread stores a thread and puts a copy into the cache.
func (s *service) newThread(ctx context.Context, title string) (store.Thread, error) {
	db, err := s.threads()
	if err != nil {
		return store.Thread{}, err
	}
	thread, err := s.storeThread(ctx, db, title)
	if err != nil {
		return store.Thread{}, fmt.Errorf("%s: %w", depPostgres, err)
	}
	cache, err := s.sessions()
	if err != nil {
		return store.Thread{}, err
	}
	if err := cache.Put(ctx, kindThread, thread.ID, thread); err != nil {
		return store.Thread{}, fmt.Errorf("%s: %w", depRedis, err)
	}
	return thread, nil
}

func (s *service) storeThread(ctx context.Context, db *store.Store, title string) (store.Thread, error) {
	if s.config.Defects.Has(UnstoredThread) { // defect: unstored-thread
		return store.Thread{ID: store.NewID("thr"), Title: title}, nil
	}
	if s.config.Defects.Has(SharedSession) { // defect: shared-session
		if !s.session.TryLock() {
			return store.Thread{}, errors.New("another operation is in progress")
		}
		defer s.session.Unlock()
		if err := startup.Wait(ctx, defectDuration("SMD_SESSION_HOLD", 200*time.Millisecond)); err != nil {
			return store.Thread{}, err
		}
	}
	return db.CreateThread(ctx, title, "")
}

// readThread answers GET /api/threads/{id}, from the cache where it can.
func (s *service) readThread(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), requestLimit)
	defer cancel()
	thread, err := s.findThread(ctx, r.PathValue("id"))
	switch {
	case errors.Is(err, store.ErrNotFound):
		reply(w, http.StatusNotFound, map[string]string{"error": err.Error()})
	case err != nil:
		s.unavailable(w, err)
	default:
		reply(w, http.StatusOK, thread)
	}
}

func (s *service) findThread(ctx context.Context, id string) (store.Thread, error) {
	var thread store.Thread
	cache, err := s.sessions()
	if err != nil {
		return thread, err
	}
	err = cache.Get(ctx, kindThread, id, &thread)
	if err == nil {
		return thread, nil
	}
	if !errors.Is(err, session.ErrMissing) {
		return thread, fmt.Errorf("%s: %w", depRedis, err)
	}
	db, err := s.threads()
	if err != nil {
		return thread, err
	}
	thread, err = db.Thread(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return thread, fmt.Errorf("%s: %w", depPostgres, err)
	}
	return thread, err
}

// sessions returns the cache, or why there is none.
func (s *service) sessions() (*session.Cache, error) {
	if cache := s.cache.Load(); cache != nil {
		return cache, nil
	}
	return nil, fmt.Errorf("%s: the cache is not initialised", depRedis)
}

// unavailable answers 503 and logs why.
func (s *service) unavailable(w http.ResponseWriter, err error) {
	s.log.Printf("REQUEST FAILED: %v", err)
	w.Header().Set("Retry-After", "1")
	reply(w, http.StatusServiceUnavailable, map[string]string{"error": err.Error()})
}
