package llm

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/chaos-startup/chaos/examples/smd/internal/llmserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAsks(t *testing.T) {
	api := httptest.NewServer(llmserver.New())
	defer api.Close()
	client := New(api.URL + "/")
	models, err := client.Models(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{llmserver.Model}, models)
	answer, err := client.Complete(t.Context(), "hello")
	require.NoError(t, err)
	assert.Equal(t, "You said: hello", answer)
}

func TestDoesNotGuess(t *testing.T) {
	for body, status := range map[string]int{"": 200, "nonsense": 200, `{"data":[],"choices":[]}`: 200,
		`{"data":[{"id":"m"}],"choices":[{"message":{"content":"x"}}]}`: 500} {
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		_, err := New(api.URL).Models(t.Context())
		assert.Error(t, err, body)
		_, err = New(api.URL).Complete(t.Context(), "x")
		assert.Error(t, err, body)
		api.Close()
	}
}
