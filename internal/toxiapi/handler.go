package toxiapi

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"

	"github.com/chaos-startup/chaos/faults"
)

// maxBody bounds the body of a request: a thousand proxies fit.
const maxBody = 1 << 20

// reply is what a handler answers: a status and a value to be written as JSON, or nil for no body.
type reply struct {
	status int
	body   any
}

func ok(body any) reply { return reply{http.StatusOK, body} }

var noContent = reply{status: http.StatusNoContent}

// routes are the endpoints of Toxiproxy v2.12.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, do := range map[string]func(*http.Request) (reply, error){
		"GET /proxies":                           s.listProxies,
		"POST /proxies":                          s.createProxy,
		"POST /populate":                         s.populate,
		"GET /proxies/{proxy}":                   s.showProxy,
		"POST /proxies/{proxy}":                  s.updateProxy,
		"PATCH /proxies/{proxy}":                 s.updateProxy,
		"DELETE /proxies/{proxy}":                s.deleteProxy,
		"GET /proxies/{proxy}/toxics":            s.listToxics,
		"POST /proxies/{proxy}/toxics":           s.createToxic,
		"GET /proxies/{proxy}/toxics/{toxic}":    s.showToxic,
		"POST /proxies/{proxy}/toxics/{toxic}":   s.updateToxic,
		"PATCH /proxies/{proxy}/toxics/{toxic}":  s.updateToxic,
		"DELETE /proxies/{proxy}/toxics/{toxic}": s.deleteToxic,
		"POST /reset":                            s.reset,
	} {
		mux.HandleFunc(pattern, answering(do))
	}
	mux.HandleFunc("GET /version", s.showVersion)
	mux.HandleFunc("GET /ca.pem", showAuthority)
	mux.Handle("GET /metrics", s.metrics())
	return identified(s.o.guarded(mux))
}

// answering writes what a handler returns.
func answering(do func(*http.Request) (reply, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		answer, err := do(r)
		if err != nil {
			writeError(w, err)
			return
		}
		if answer.body == nil {
			w.WriteHeader(answer.status)
			return
		}
		text, err := json.Marshal(answer.body)
		if err != nil {
			writeError(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.status)
		_, _ = w.Write(text) // a client that has gone needs no answer
	}
}

// identified gives every answer the id that Toxiproxy's have.
func identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Toxiproxy-Request-Id", rand.Text())
		next.ServeHTTP(w, r)
	})
}

// body decodes the body of a request.
func body(r *http.Request, into any) error {
	dec := json.NewDecoder(r.Body)
	if _, is := into.(*toxicInput); is {
		dec = strict(r.Body)
	}
	if err := decodeBody(dec, into); err != nil {
		return err
	}
	return nil
}

// strict reads toxics: a misspelt toxicity would change what the fault does.
func strict(r io.Reader) *json.Decoder {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	dec.UseNumber()
	return dec
}

func (s *Server) listProxies(*http.Request) (reply, error) { return ok(s.all.list()), nil }

func (s *Server) createProxy(r *http.Request) (reply, error) {
	var in proxyInput
	if err := body(r, &in); err != nil {
		return reply{}, err
	}
	p, err := s.all.create(r.Context(), in, nil)
	return reply{http.StatusCreated, p}, err
}

// populate answers with what was done even when something failed.
func (s *Server) populate(r *http.Request) (reply, error) {
	var in []proxyInput
	err := body(r, &in)
	var out struct {
		*apiError `json:",omitempty"`
		Proxies   []Proxy `json:"proxies"`
	}
	if err == nil {
		out.Proxies, err = s.all.populate(r.Context(), in)
	}
	if err != nil {
		out.apiError = toAPI(err)
		return reply{out.Status, out}, nil
	}
	return reply{http.StatusCreated, out}, nil
}

func (s *Server) showProxy(r *http.Request) (reply, error) {
	p, err := s.all.get(r.PathValue("proxy"))
	return ok(p), err
}

func (s *Server) updateProxy(r *http.Request) (reply, error) {
	name := r.PathValue("proxy")
	if _, err := s.all.get(name); err != nil {
		return reply{}, err
	}
	var in proxyInput
	if err := body(r, &in); err != nil {
		return reply{}, err
	}
	p, err := s.all.update(r.Context(), name, in)
	return ok(p), err
}

func (s *Server) deleteProxy(r *http.Request) (reply, error) {
	return noContent, s.all.remove(r.Context(), r.PathValue("proxy"))
}

func (s *Server) reset(r *http.Request) (reply, error) { return noContent, s.all.reset(r.Context()) }

func (s *Server) listToxics(r *http.Request) (reply, error) {
	list, err := s.all.toxics(r.PathValue("proxy"))
	return ok(list), err
}

func (s *Server) createToxic(r *http.Request) (reply, error) {
	name := r.PathValue("proxy")
	if _, err := s.all.get(name); err != nil {
		return reply{}, err
	}
	var in toxicInput
	if err := body(r, &in); err != nil {
		return reply{}, err
	}
	t, err := s.all.addToxic(name, in)
	return ok(t), err
}

func (s *Server) showToxic(r *http.Request) (reply, error) {
	t, err := s.all.toxic(r.PathValue("proxy"), r.PathValue("toxic"))
	return ok(t), err
}

func (s *Server) updateToxic(r *http.Request) (reply, error) {
	proxy, toxic := r.PathValue("proxy"), r.PathValue("toxic")
	if _, err := s.all.toxic(proxy, toxic); err != nil {
		return reply{}, err
	}
	var in toxicInput
	if err := body(r, &in); err != nil {
		return reply{}, err
	}
	t, err := s.all.updateToxic(proxy, toxic, in)
	return ok(t), err
}

func (s *Server) deleteToxic(r *http.Request) (reply, error) {
	return noContent, s.all.removeToxic(r.PathValue("proxy"), r.PathValue("toxic"))
}

// showVersion tells which Toxiproxy this is to its clients.
func (s *Server) showVersion(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_, _ = w.Write([]byte(`{"version": "` + s.o.Version + `"}` + "\n"))
}

// showAuthority hands out the certificate that a client of the faults inside TLS must trust.
func showAuthority(w http.ResponseWriter, _ *http.Request) {
	text, err := faults.CertificateAuthority()
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(text)
}
