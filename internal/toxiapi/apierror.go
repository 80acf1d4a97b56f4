package toxiapi

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
)

// apiError is what a client is told, in Toxiproxy's shape.
type apiError struct {
	Message string `json:"error"`
	Status  int    `json:"status"`
}

func (e *apiError) Error() string { return e.Message }

// The errors of Toxiproxy's API. Clients compare these texts.
const (
	badBody       = "bad request body"
	missingField  = "missing required field"
	noSuchProxy   = "proxy not found"
	proxyExists   = "proxy already exists"
	invalidStream = "stream was invalid, can be either upstream or downstream"
	invalidType   = "invalid toxic type"
	toxicExists   = "toxic already exists"
	noSuchToxic   = "toxic not found"
)

func wrong(text string) *apiError    { return &apiError{text, http.StatusBadRequest} }
func conflict(text string) *apiError { return &apiError{text, http.StatusConflict} }
func missing(text string) *apiError  { return &apiError{text, http.StatusNotFound} }

// toAPI makes an apiError of any error. What the kernel said of a listening address is told in its words, as Toxiproxy does.
func toAPI(err error) *apiError {
	var known *apiError
	if errors.As(err, &known) {
		return known
	}
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return &apiError{err.Error(), http.StatusRequestEntityTooLarge}
	}
	text := err.Error()
	var op *net.OpError
	if errors.As(err, &op) {
		text = op.Error()
	}
	return &apiError{text, http.StatusInternalServerError}
}

// writeError answers as Toxiproxy does: JSON, in the clothes of http.Error.
func writeError(w http.ResponseWriter, err error) {
	e := toAPI(err)
	text, err := json.Marshal(e)
	if err != nil {
		text = []byte(e.Message)
	}
	http.Error(w, string(text), e.Status)
}
