package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

func jwtKind() Kind {
	return Kind{
		Name: "jwt",
		Doc: "Sends the same request with several JSON Web Tokens: a valid one must be accepted; one with a claim more than was signed, an expired one, an " +
			"unsigned one (algorithm none) and a missing one must be refused. They are signed with secret (HS256) or with a private key in PEM, key or " +
			"key_file (RS256; also PS, ES, EdDSA), or made from token, a valid one; an expired one can not be made from that and is given under expired. " +
			"Each of valid, tampered, expired, unsigned, missing may have a url, status and token of its own, or skip: true.",
		Example: "jwt:\n  url: http://127.0.0.1:8080/me\n  secret: ${env.JWT_SECRET}\n  claims: {sub: ada, iss: https://login.example}\n" +
			"  refused: 401\n  expired: {url: 'http://127.0.0.1:8080/refresh', status: 403}",
		Also: []string{
			"jwt: {url: 'http://127.0.0.1:8080/me', algorithm: RS256, key_file: testdata/jwt.pem, kid: key-1, missing: {skip: true}}",
			"http: {method: POST, url: 'http://127.0.0.1:9000/token', body: '{\"user\":\"ada\"}'}     # tokens that an auth service signs\n" +
				"capture: {token: $.token}\nthen:\n  http: {method: POST, url: 'http://127.0.0.1:9000/token', body: '{\"user\":\"ada\",\"expired\":true}'}\n" +
				"  capture: {old_token: $.token}\n  then:\n    jwt: {url: 'http://127.0.0.1:8080/me', token: '${captured.token}', expired: {token: '${captured.old_token}'}}",
		},
		used:  func(s Spec) bool { return s.JWT != nil },
		build: func(s Spec, e Env) (attempt, error) { return s.JWT.build(e) },
	}
}

// jwtCases are the tokens in the order in which they are sent: that others are refused means nothing while a valid one is.
var jwtCases = []jwtCase{
	{"valid", func(j JWT) *JWTCase { return j.Valid }},
	{"tampered", func(j JWT) *JWTCase { return j.Tampered }},
	{"expired", func(j JWT) *JWTCase { return j.Expired }},
	{"unsigned", func(j JWT) *JWTCase { return j.Unsigned }},
	{"missing", func(j JWT) *JWTCase { return j.Missing }},
}

type jwtCase struct {
	name string
	of   func(JWT) *JWTCase
}

type jwtProbe struct {
	JWT
	dir     string
	method  jwt.SigningMethod
	request map[string]httpProbe // by case; one that is skipped is missing
}

func (j JWT) build(e Env) (attempt, error) {
	p := jwtProbe{JWT: j, dir: e.Dir, request: map[string]httpProbe{}}
	p.Header = cmp.Or(j.Header, "Authorization")
	if j.Scheme == "" && strings.EqualFold(p.Header, "Authorization") {
		p.Scheme = "Bearer"
	}
	errs := []error{p.checkKey()}
	secrets := []string{j.Secret, j.Key, j.Token}
	for _, c := range jwtCases {
		own := JWTCase{}
		if given := c.of(j); given != nil {
			own = *given
		}
		if own.Skip {
			continue
		}
		request := HTTP{URL: cmp.Or(own.URL, j.URL), Method: j.Method, Headers: j.Headers, Body: j.Body, Status: p.status(c.name, own)}
		parsed, more, err := request.parse()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
		parsed.what = "jwt " + parsed.what
		parsed.want = p.wanted(c.name, request.Status)
		p.request[c.name] = parsed
		secrets = append(append(secrets, more...), own.Token)
		if c.name == "expired" && j.Token != "" && own.Token == "" {
			errs = append(errs, errors.New("expired: an expired token cannot be made without the key; expected token, or skip: true"))
		}
	}
	if len(p.request) == 0 {
		errs = append(errs, errors.New("every case is skipped; expected at least one"))
	}
	return attempt{p.ask, secrets}, errors.Join(errs...)
}

// checkKey wants one source of tokens, and an algorithm that goes with it.
func (p *jwtProbe) checkKey() error {
	sources := 0
	for _, s := range []string{p.Secret, p.Key, p.KeyFile, p.Token} {
		if s != "" {
			sources++
		}
	}
	if sources != 1 {
		return errors.New("expected exactly one of secret, key, key_file and token")
	}
	if p.Token != "" {
		if p.Algorithm != "" || p.KeyID != "" || len(p.Claims) > 0 {
			return errors.New("algorithm, kid and claims are of a token that is signed here, and token is signed already")
		}
		return nil
	}
	name := cmp.Or(p.Algorithm, "RS256")
	if p.Algorithm == "" && p.Secret != "" {
		name = "HS256"
	}
	p.method = jwt.GetSigningMethod(name)
	if _, symmetric := p.method.(*jwt.SigningMethodHMAC); p.method == nil || p.method == jwt.SigningMethodNone || symmetric != (p.Secret != "") {
		return fmt.Errorf("algorithm %q: expected HS256, HS384 or HS512 with secret; RS256, PS256, ES256, ... or EdDSA with key or key_file", name)
	}
	if p.Key == "" {
		return nil
	}
	_, err := p.parseKey([]byte(p.Key))
	return err
}

func (p *jwtProbe) status(name string, own JWTCase) int {
	if name == "valid" {
		return cmp.Or(own.Status, p.Status)
	}
	return cmp.Or(own.Status, p.Refused)
}

// wanted words what must be answered to a case.
func (p *jwtProbe) wanted(name string, status int) string {
	text := "status " + strconv.Itoa(status)
	switch {
	case status != 0:
	case name == "valid":
		text = "status 200..299"
	default:
		text = "status 401 or 403"
	}
	switch name {
	case "valid":
		return text + " to a valid token"
	case "missing":
		return text + " without a token"
	case "tampered":
		return text + " to a tampered token"
	}
	return text + " to an " + name + " token"
}

// ask sends every case. The answer is the last one's.
func (p jwtProbe) ask(ctx context.Context) (answer Answer, err error) {
	tokens, err := p.tokens()
	if err != nil {
		return Answer{}, err
	}
	for _, c := range jwtCases {
		request, ok := p.request[c.name]
		if !ok {
			continue
		}
		token := tokens[c.name]
		var got reply
		answer, got, err = request.send(ctx, request.method, p.withToken(request, token), request.spec.Body)
		if err != nil {
			return answer, hide(err, []string{token})
		}
		if !accepts(c.name, request.spec.Status, got.status) {
			return answer, hide(expected(request.what, request.want, statusText(got.status, got.body)), []string{token})
		}
	}
	return answer, nil
}

func accepts(name string, want, got int) bool {
	switch {
	case want != 0:
		return got == want
	case name == "valid":
		return got >= 200 && got < 300
	}
	return got == http.StatusUnauthorized || got == http.StatusForbidden
}

// withToken returns the headers of one request. An empty token is none.
func (p jwtProbe) withToken(request httpProbe, token string) http.Header {
	headers := request.headers()
	if token != "" {
		headers.Set(p.Header, strings.TrimSpace(p.Scheme+" "+token))
	}
	return headers
}

// key returns the key to sign with.
func (p jwtProbe) key() (any, error) {
	if p.Secret != "" {
		return []byte(p.Secret), nil
	}
	if p.Key != "" {
		return p.parseKey([]byte(p.Key))
	}
	path := p.KeyFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.dir, path)
	}
	text, err := os.ReadFile(path) // #nosec G304 -- the file's author names it
	if err != nil {
		return nil, expected("jwt", "a private key in "+p.KeyFile, short(innermostPath(err).Error()))
	}
	return p.parseKey(text)
}

// innermostPath drops the path from an error of the file system: it is said already.
func innermostPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// parseKey reads a private key in PEM that goes with the algorithm. Its error shows nothing of it.
func (p *jwtProbe) parseKey(text []byte) (key any, err error) {
	switch p.method.(type) {
	case *jwt.SigningMethodECDSA:
		key, err = jwt.ParseECPrivateKeyFromPEM(text)
	case *jwt.SigningMethodEd25519:
		key, err = jwt.ParseEdPrivateKeyFromPEM(text)
	default:
		key, err = jwt.ParseRSAPrivateKeyFromPEM(text)
	}
	if err != nil {
		return nil, expected("jwt", "a private key for "+p.method.Alg()+" in PEM", "something else")
	}
	return key, nil
}

var errNotJWT = errors.New("token: expected a JSON Web Token: three parts with dots between")

// claims are those of the valid token.
func (p jwtProbe) claims() jwt.MapClaims {
	claims := jwt.MapClaims{"sub": userAgent}
	maps.Copy(claims, p.Claims)
	return claims
}
