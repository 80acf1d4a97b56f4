package agent

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type model struct{ err error }

func (m model) Complete(_ context.Context, prompt string) (string, error) {
	return "re: " + prompt, m.err
}

type memory struct {
	err    error
	stored []string
}

func (m *memory) SaveTurn(_ context.Context, thread, question, answer string) (string, error) {
	m.stored = append(m.stored, thread, question, answer)
	return "turn", m.err
}

func TestATurn(t *testing.T) {
	dead := errors.New("dead")
	whole := []string{Started, Thinking, ToolExecuting, ToolCompleted, Completed}
	for name, c := range map[string]struct {
		model  model
		memory memory
		deaf   string // emit fails at this event
		events []string
		err    string
	}{
		"sound":         {events: whole},
		"no model":      {model: model{dead}, events: whole[:4], err: "llm: dead"},
		"no memory":     {memory: memory{err: dead}, events: whole[:4], err: "postgres: dead"},
		"client leaves": {deaf: ToolExecuting, events: whole[:3], err: "dead"},
	} {
		t.Run(name, func(t *testing.T) {
			tools, err := NewDispatcher(t.Context())
			require.NoError(t, err)
			supervisor, err := NewSupervisor(c.model, tools, &c.memory)
			require.NoError(t, err)
			var events []string
			var last Event
			err = supervisor.Turn(t.Context(), "thr", "two words", func(e Event) error {
				events, last = append(events, e.Type), e
				if e.Type == c.deaf {
					return dead
				}
				return nil
			})
			assert.Equal(t, c.events, events)
			if c.err != "" {
				assert.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, Event{Type: Completed, Thread: "thr", Turn: "turn", Text: "re: two words [word_count: 2]"}, last)
			assert.Equal(t, []string{"thr", "two words", "re: two words [word_count: 2]"}, c.memory.stored)
		})
	}
}

func TestASupervisorNeedsEverything(t *testing.T) {
	_, err := NewSupervisor(nil, nil, nil)
	require.Error(t, err)
	tools, err := NewDispatcher(t.Context())
	require.NoError(t, err)
	_, err = tools.Run(t.Context(), "hammer", "")
	assert.ErrorContains(t, err, "hammer")
}
