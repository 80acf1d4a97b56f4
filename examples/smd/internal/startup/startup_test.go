package startup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// play runs phases and returns the log and the error.
func play(ctx context.Context, state *State, policy Policy, phases ...Phase) (string, error) {
	var log strings.Builder
	if policy.StepTimeout == 0 {
		policy.StepTimeout = 5 * time.Second
	}
	s := Sequence{Phases: phases, Policy: policy, State: state,
		Logf: func(format string, args ...any) { fmt.Fprintf(&log, format+"\n", args...) }}
	err := s.Run(ctx)
	return log.String(), err
}

func after(d time.Duration, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		if waited := Wait(ctx, d); waited != nil {
			return waited
		}
		return err
	}
}

func TestPhasesRunInOrderAndAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var state State
		assert.Equal(t, Starting, state.Snapshot().Status)
		log, err := play(t.Context(), &state, Policy{},
			Phase{Number: 1, Name: "INIT", Title: "first", Steps: []Step{{Text: "one", Run: after(84*time.Millisecond, nil)}}},
			Phase{Number: 2, Name: "CACHE", Title: "second", Steps: []Step{{Text: "two", Run: after(0, nil)}, {Text: "three", Run: after(time.Second, nil)}}})
		require.NoError(t, err)
		assert.Equal(t, `STARTUP SEQUENCE BEGINS (2 phases)
PHASE TRANSITION -> INIT
PHASE 1: INIT - first
Step 1: one
PHASE COMPLETED: INIT (0.084s)
PHASE TRANSITION -> CACHE
PHASE 2: CACHE - second
Step 2: two
Step 3: three
PHASE COMPLETED: CACHE (1.000s)
STARTUP SEQUENCE COMPLETED (1.084s)
`, log)
		require.NoError(t, Wait(t.Context(), time.Hour)) // the elapsed time stands still afterwards
		assert.Equal(t, Snapshot{Status: Ready, Phase: "CACHE", Completed: []string{"INIT", "CACHE"},
			TimingsMS: map[string]float64{"INIT": 84, "CACHE": 1000}, ElapsedMS: 1084}, state.Snapshot())
	})
}

func TestAFailureIsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var state State
		boom := errors.New("connection refused")
		log, err := play(t.Context(), &state, Policy{},
			Phase{Number: 3, Name: "DATABASE", Title: "x", Steps: []Step{{Text: "connect", Dependency: "postgres", Run: after(20*time.Millisecond, boom)}}},
			Phase{Number: 4, Name: "CACHE", Title: "never"})
		var failed *PhaseError
		require.ErrorAs(t, err, &failed)
		require.ErrorIs(t, err, boom)
		assert.Equal(t, "DATABASE", failed.Phase)
		assert.Contains(t, log, "PHASE FAILED: DATABASE - postgres: connection refused (after 0.02s)\n")
		assert.Contains(t, log, "STARTUP SEQUENCE FAILED in DATABASE - postgres: connection refused (after 0.02s)\n")
		assert.NotContains(t, log, "CACHE")
		assert.Equal(t, Failed, state.Snapshot().Status)
		assert.Equal(t, "DATABASE - postgres: connection refused", state.Snapshot().Error)
	})
}

func TestAStepHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		slow := Step{Text: "slow", Dependency: "redis", Run: after(time.Hour, nil)}
		_, err := play(t.Context(), new(State), Policy{}, Phase{Name: "CACHE", Steps: []Step{slow}})
		assert.ErrorContains(t, err, "redis: no answer within 5s")
		assert.Equal(t, 5*time.Second, time.Since(began))

		slow.Timeout = -1
		_, err = play(t.Context(), new(State), Policy{}, Phase{Name: "CACHE", Steps: []Step{slow}})
		assert.NoError(t, err)
		assert.Equal(t, time.Hour+5*time.Second, time.Since(began))
	})
}

func TestOptionalStepsWarnAndAreNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		optional := Step{Text: "events", Dependency: "clickhouse", Optional: true, Run: func(context.Context) error {
			runs++
			return errors.New("refused")
		}}
		log, err := play(t.Context(), new(State), Policy{RetryFor: Forever}, Phase{Name: "SERVICES", Steps: []Step{optional}})
		require.NoError(t, err)
		assert.Equal(t, 1, runs)
		assert.Contains(t, log, "WARNING: step 1: optional clickhouse: refused; going on without it")
		assert.Contains(t, log, "STARTUP SEQUENCE COMPLETED")
	})
}

func TestRetriesWithGrowingPausesUntilTheWindowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		began := time.Now()
		policy := Policy{RetryFor: 5 * time.Second, Backoff: Exponential(100*time.Millisecond, 2*time.Second)}
		step := Step{Text: "connect", Dependency: "postgres", Run: func(context.Context) error {
			at = append(at, time.Since(began))
			return errors.New("refused")
		}}
		_, err := play(t.Context(), new(State), policy, Phase{Name: "DATABASE", Steps: []Step{step}})
		require.Error(t, err)
		require.GreaterOrEqual(t, len(at), 5)
		assert.Less(t, at[len(at)-1], 5*time.Second)
		for n := 2; n < min(len(at), 6); n++ { // below the limit of 2 s
			assert.Greater(t, at[n]-at[n-1], at[n-1]-at[n-2], "gap %d", n)
		}
	})
}

func TestRetriesOnlyWhatWaitingCanMend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs, retries := 0, 0
		count := func(context.Context) error { runs++; return errors.New("wrong password") }
		policy := Policy{RetryFor: time.Minute, Backoff: Exponential(time.Millisecond, time.Second),
			Permanent: func(error) bool { return true }, OnRetry: func(context.Context, string) { retries++ }}
		_, err := play(t.Context(), new(State), policy, Phase{Name: "CACHE", Steps: []Step{{Text: "x", Dependency: "redis", Run: count}}})
		require.Error(t, err)
		policy.Permanent = nil
		_, err = play(t.Context(), new(State), policy, Phase{Name: "INIT", Steps: []Step{{Text: "no dependency", Run: count}}})
		require.Error(t, err)
		assert.Equal(t, 2, runs)

		healing := Step{Text: "x", Dependency: "redis", Run: func(context.Context) error {
			if runs++; runs < 6 {
				return errors.New("loading")
			}
			return nil
		}}
		log, err := play(t.Context(), new(State), policy, Phase{Name: "CACHE", Steps: []Step{healing}})
		require.NoError(t, err)
		assert.Equal(t, 3, retries)
		assert.Contains(t, log, "redis answered at attempt 4")
	})
}

func TestInterruptAndBudgetAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, step := range []Step{
			{Text: "runs", Timeout: -1, Run: after(time.Hour, nil)},
			{Text: "retries", Dependency: "redis", Run: after(0, errors.New("refused"))},
			{Text: "optional", Optional: true, Timeout: -1, Run: after(time.Hour, nil)},
		} {
			policy := Policy{RetryFor: Forever, Backoff: Exponential(time.Minute, time.Minute)}
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(ErrInterrupted) })
			var state State
			log, err := play(ctx, &state, policy, Phase{Name: "CACHE", Steps: []Step{step}})
			assert.ErrorIs(t, err, ErrInterrupted, step.Text)
			assert.Contains(t, log, "STARTUP SEQUENCE INTERRUPTED in CACHE (after 1.00s)")
			assert.NotContains(t, log, "PHASE FAILED")
			assert.NotContains(t, log, "WARNING")

			bounded, stop := context.WithTimeoutCause(t.Context(), 3*time.Second, ErrBudget)
			log, err = play(bounded, &state, policy, Phase{Name: "CACHE", Steps: []Step{step}})
			stop()
			var failed *PhaseError
			assert.ErrorAs(t, err, &failed, step.Text)
			assert.ErrorIs(t, err, ErrBudget, step.Text)
			assert.Contains(t, log, "PHASE FAILED: CACHE - the startup budget is used up")
		}
	})
}

func TestADelayStretchesAPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Sequence{Phases: []Phase{{Name: "INIT"}, {Name: "CACHE"}}, Policy: Policy{StepTimeout: time.Second}, State: new(State),
			Logf: func(string, ...any) {},
			Delay: func(ctx context.Context, phase string) error {
				if phase == "CACHE" {
					return Wait(ctx, time.Minute)
				}
				return nil
			}}
		require.NoError(t, s.Run(t.Context()))
		assert.Equal(t, 60000.0, s.State.Snapshot().TimingsMS["CACHE"])
	})
}
