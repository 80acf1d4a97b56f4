// Package agent answers user messages: the supervisor drives one turn, the
// dispatcher runs its tools, and every step of it is told as an event.
//
// It refuses to claim a turn completed before the turn is stored.
package agent

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// The types of Event, in the order of a turn that succeeds.
const (
	Started       = "agent_started"
	Thinking      = "agent_thinking"
	ToolExecuting = "tool_executing"
	ToolCompleted = "tool_completed"
	Completed     = "agent_completed"
)

// Event is what a client sees of a turn.
type Event struct {
	Type   string `json:"type"`
	Thread string `json:"thread_id,omitempty"`
	Turn   string `json:"turn_id,omitempty"`
	Tool   string `json:"tool,omitempty"`
	Text   string `json:"text,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Model completes a prompt.
type Model interface {
	Complete(ctx context.Context, prompt string) (string, error)
}

// Memory stores a turn and returns its id.
type Memory interface {
	SaveTurn(ctx context.Context, threadID, question, answer string) (string, error)
}

// Tool turns a user message into a fact the model can use.
type Tool func(ctx context.Context, text string) (string, error)

// Dispatcher runs tools by name.
type Dispatcher struct{ tools map[string]Tool }

// NewDispatcher returns a dispatcher with the built-in tools, after trying each.
func NewDispatcher(ctx context.Context) (*Dispatcher, error) {
	d := &Dispatcher{tools: map[string]Tool{
		"word_count": func(_ context.Context, text string) (string, error) {
			return strconv.Itoa(len(strings.Fields(text))), nil
		},
	}}
	for _, name := range d.Names() {
		if _, err := d.Run(ctx, name, "a trial run"); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Names lists the tools in alphabetical order.
func (d *Dispatcher) Names() []string {
	names := make([]string, 0, len(d.tools))
	for name := range d.tools {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Run executes one tool.
func (d *Dispatcher) Run(ctx context.Context, name, text string) (string, error) {
	tool, ok := d.tools[name]
	if !ok {
		return "", fmt.Errorf("no tool is called %q", name)
	}
	result, err := tool(ctx, text)
	if err != nil {
		return "", fmt.Errorf("tool %s: %w", name, err)
	}
	return result, nil
}

// Supervisor drives turns; safe for concurrent use.
type Supervisor struct {
	model  Model
	tools  *Dispatcher
	memory Memory
}

// NewSupervisor refuses to exist without a model, tools and memory.
func NewSupervisor(model Model, tools *Dispatcher, memory Memory) (*Supervisor, error) {
	if model == nil || tools == nil || memory == nil {
		return nil, errors.New("agent supervisor: needs a model, tools and memory")
	}
	return &Supervisor{model: model, tools: tools, memory: memory}, nil
}

// Turn answers text within a thread and tells each step to emit; it stops at
// the first error, also one of emit.
func (s *Supervisor) Turn(ctx context.Context, thread, text string, emit func(Event) error) error {
	if err := emit(Event{Type: Started, Thread: thread}); err != nil {
		return err
	}
	if err := emit(Event{Type: Thinking, Thread: thread}); err != nil {
		return err
	}
	prompt := text
	for _, name := range s.tools.Names() {
		if err := emit(Event{Type: ToolExecuting, Thread: thread, Tool: name}); err != nil {
			return err
		}
		result, err := s.tools.Run(ctx, name, text)
		if err != nil {
			return err
		}
		prompt += " [" + name + ": " + result + "]"
		if err := emit(Event{Type: ToolCompleted, Thread: thread, Tool: name, Text: result}); err != nil {
			return err
		}
	}
	answer, err := s.model.Complete(ctx, prompt)
	if err != nil {
		return fmt.Errorf("llm: %w", err)
	}
	turn, err := s.memory.SaveTurn(ctx, thread, text, answer)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return emit(Event{Type: Completed, Thread: thread, Turn: turn, Text: answer})
}
