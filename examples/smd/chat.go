package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"

	"github.com/chaos-startup/chaos/examples/smd/internal/agent"
	"github.com/chaos-startup/chaos/examples/smd/internal/session"
	"github.com/chaos-startup/chaos/examples/smd/internal/store"
)

// turnLimit is how long the answer to one message may take.
const turnLimit = 10 * time.Second

// userMessage is what a client sends: user_message with a text, or ping.
type userMessage struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Thread string `json:"thread_id"`
}

// sessionState is what survives a reconnect with the same ?session=ID.
type sessionState struct {
	Thread string `json:"thread_id"`
}

// talk is one open chat.
type talk struct {
	service *service
	conn    *websocket.Conn
	id      string
	state   sessionState
}

// chat answers GET /ws: a WebSocket on which each user_message gets its turn.
func (s *service) chat(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, s.acceptOptions())
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow() //nolint:errcheck // closed properly where it matters
	conn.SetReadLimit(bodyLimit)
	// Registered before the first read: what the client sends earlier waits in
	// the socket and is not lost.
	leave, err := s.hub.register(conn)
	if err != nil {
		_ = conn.Close(websocket.StatusTryAgainLater, err.Error())
		return
	}
	defer leave()
	t := &talk{service: s, conn: conn, id: r.URL.Query().Get("session")}
	if t.id == "" {
		t.id = store.NewID("ses")
	}
	if s.config.Defects.Has(StuckSession) { // defect: stuck-session
		if _, here := s.stuck.LoadOrStore(t.id, true); here {
			_ = conn.Close(websocket.StatusPolicyViolation, "this session is connected already")
			return
		}
	}
	if err := t.resume(r.Context()); err != nil {
		s.log.Printf("CHAT FAILED: %v", err)
		_ = conn.Close(websocket.StatusInternalError, "the session can not be read")
		return
	}
	t.listen(r.Context())
}

func (s *service) acceptOptions() *websocket.AcceptOptions {
	options := &websocket.AcceptOptions{}
	if origin, err := url.Parse(s.config.CORSOrigin); err == nil {
		options.OriginPatterns = []string{origin.Host}
	}
	return options
}

// rejectLate is the early-websocket defect: the connection is accepted although
// nobody can serve it.
func (s *service) rejectLate(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, s.acceptOptions())
	if err == nil {
		_ = conn.Close(websocket.StatusInternalError, "the agent supervisor does not exist yet")
	}
}

// resume loads the session of an earlier connection, if there was one.
func (t *talk) resume(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	cache, err := t.service.sessions()
	if err != nil {
		return err
	}
	err = cache.Get(ctx, kindSession, t.id, &t.state)
	switch {
	case err == nil, errors.Is(err, session.ErrMissing):
		return nil
	case t.service.config.Defects.Has(FalseReadyRedis): // defect: false-ready-redis
		return nil
	}
	return fmt.Errorf("%s: %w", depRedis, err)
}

// listen serves messages one after the other until the client or the service
// goes away.
func (t *talk) listen(ctx context.Context) {
	registered := time.Now()
	if t.service.config.Defects.Has(LostEarlyMessage) { // defect: lost-early-message
		registered = registered.Add(defectDuration("SMD_REGISTER_DELAY", 300*time.Millisecond))
	}
	for {
		_, text, err := t.conn.Read(ctx)
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			t.service.stuck.Delete(t.id) // who says good-bye has left, even under stuck-session
		}
		if err != nil {
			return
		}
		if time.Now().Before(registered) { // defect: lost-early-message
			continue
		}
		if err := t.handle(ctx, text); err != nil {
			t.service.log.Printf("CHAT FAILED: %v", err)
			if t.emit(ctx, agent.Event{Type: "error", Thread: t.state.Thread, Error: err.Error()}) != nil {
				return
			}
		}
	}
}

func (t *talk) handle(ctx context.Context, text []byte) error {
	var message userMessage
	if err := json.Unmarshal(text, &message); err != nil {
		return errors.New(`expected {"type": "user_message", "text": TEXT}`)
	}
	switch message.Type {
	case "ping":
		return t.emit(ctx, agent.Event{Type: "pong"})
	case "user_message":
		return t.turn(ctx, message)
	}
	return fmt.Errorf("message type %q is not known: expected user_message or ping", message.Type)
}

func (t *talk) turn(ctx context.Context, message userMessage) error {
	ctx, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	supervisor := t.service.supervisor.Load()
	if supervisor == nil {
		return errors.New("the agent supervisor does not exist")
	}
	if err := t.choose(ctx, message); err != nil {
		return err
	}
	err := supervisor.Turn(ctx, t.state.Thread, message.Text, func(e agent.Event) error { return t.emit(ctx, e) })
	if err == nil && t.service.analytics != nil && !t.service.config.Defects.Has(LostEvents) { // defect: lost-events
		t.service.analytics.Record("turn", t.state.Thread)
	}
	return err
}

// choose settles which thread a message belongs to: the one it names, the
// session's, or a new one; and remembers that.
func (t *talk) choose(ctx context.Context, message userMessage) error {
	wanted := message.Thread
	switch {
	case wanted == "" && t.state.Thread != "", wanted != "" && wanted == t.state.Thread:
		return nil
	case wanted != "":
		if _, err := t.service.findThread(ctx, wanted); err != nil {
			return err
		}
	default:
		thread, err := t.service.newThread(ctx, title(message.Text))
		if err != nil {
			return err
		}
		wanted = thread.ID
	}
	cache, err := t.service.sessions()
	if err != nil {
		return err
	}
	if err := cache.Put(ctx, kindSession, t.id, sessionState{Thread: wanted}); err != nil {
		return fmt.Errorf("%s: %w", depRedis, err)
	}
	t.state.Thread = wanted
	return nil
}

func (t *talk) emit(ctx context.Context, event agent.Event) error {
	text, err := json.Marshal(event)
	if err != nil {
		return err
	}
	return t.conn.Write(ctx, websocket.MessageText, text)
}

// title is the beginning of a message, cut at a character.
func title(text string) string {
	const limit = 60
	runes := []rune(text)
	if len(runes) > limit {
		return string(runes[:limit]) + "..."
	}
	if text == "" {
		return "untitled"
	}
	return text
}
