package store

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAWrongURLIsNotRepeated(t *testing.T) {
	for _, url := range []string{"postgres://app:hush%zz@h/db", "postgres://app:hush@h:port/db", "postgres://app:hush@h/db?sslmode=perhaps"} {
		_, err := Config(url, Options{})
		require.Error(t, err, url)
		assert.NotContains(t, err.Error(), "hush")
	}
}

func TestNothingStaysOpenAfterAFailedOpen(t *testing.T) {
	_, err := Open(t.Context(), "postgres://app@127.0.0.1:1/db?sslmode=disable", Options{})
	assert.ErrorContains(t, err, "connect: ")
}

func TestOnlyAnotherInstanceIsAReasonToTryAgain(t *testing.T) {
	for code, times := range map[string]int{"23505": 10, "42710": 10, "42P07": 10, "42601": 1, "25P02": 1} {
		runs := 0
		err := contended(t.Context(), func() error { runs++; return &pgconn.PgError{Code: code} })
		assert.Error(t, err)
		assert.Equal(t, times, runs, code)
	}
	runs := 0
	require.NoError(t, contended(t.Context(), func() error {
		if runs++; runs < 3 {
			return &pgconn.PgError{Code: "23505"}
		}
		return nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, contended(ctx, func() error { return &pgconn.PgError{Code: "23505"} }), context.Canceled)
}

func TestPermanent(t *testing.T) {
	assert.True(t, Permanent(errors.Join(errors.New("connect"), &pgconn.PgError{Code: "28P01"})))
	assert.False(t, Permanent(&pgconn.PgError{Code: "57P03"}), "starting up passes")
	assert.False(t, Permanent(errors.New("refused")))
	assert.False(t, Permanent(nil))
}
