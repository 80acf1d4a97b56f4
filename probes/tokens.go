package probes

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// tokenLife is how long a valid token lasts, and how long an expired one has been over.
const tokenLife = 10 * time.Minute

// tokens makes the token of every case that has none of its own.
func (p jwtProbe) tokens() (map[string]string, error) {
	tokens := map[string]string{"valid": p.Token}
	var err error
	if p.Token == "" {
		if tokens["valid"], tokens["expired"], err = p.sign(time.Now()); err != nil {
			return nil, err
		}
	}
	if tokens["tampered"], tokens["unsigned"], err = forge(tokens["valid"]); err != nil {
		return nil, err
	}
	for _, c := range jwtCases {
		if own := c.of(p.JWT); own != nil && own.Token != "" {
			tokens[c.name] = own.Token
		}
	}
	return tokens, nil
}

// sign makes a valid and an expired token. Both begin a little before now: clocks differ.
func (p jwtProbe) sign(now time.Time) (valid, expired string, err error) {
	key, err := p.key()
	if err != nil {
		return "", "", err
	}
	issue := func(issued, expires time.Time, replace bool) (string, error) {
		claims := p.claims()
		for name, at := range map[string]time.Time{"iat": issued, "exp": expires} {
			if _, given := claims[name]; !given || replace {
				claims[name] = at.Unix()
			}
		}
		if replace {
			delete(claims, "nbf")
		}
		token := jwt.NewWithClaims(p.method, claims)
		if p.KeyID != "" {
			token.Header["kid"] = p.KeyID
		}
		text, err := token.SignedString(key)
		if err != nil {
			return "", fmt.Errorf("jwt: sign with %s: %w", p.method.Alg(), err)
		}
		return text, nil
	}
	if valid, err = issue(now.Add(-time.Second), now.Add(tokenLife), false); err != nil {
		return "", "", err
	}
	expired, err = issue(now.Add(-2*tokenLife), now.Add(-tokenLife), true)
	return valid, expired, err
}

// forge makes two tokens that say what a valid one says: one with a claim more, below the old signature, and one that says that it
// needs no signature.
func forge(valid string) (tampered, unsigned string, err error) {
	parts := strings.Split(valid, ".")
	if len(parts) != 3 {
		return "", "", errNotJWT
	}
	claims, header := map[string]any{}, map[string]any{}
	if err := readPart(parts[1], &claims); err != nil {
		return "", "", err
	}
	if err := readPart(parts[0], &header); err != nil {
		return "", "", err
	}
	more := maps.Clone(claims)
	more["chaos_probe"] = "tampered"
	header["alg"] = jwt.SigningMethodNone.Alg()
	return parts[0] + "." + part(more) + "." + parts[2], part(header) + "." + parts[1] + ".", nil
}

// readPart reads one part of a token; numbers stay as they are written.
func readPart(text string, into *map[string]any) error {
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return errNotJWT
	}
	value, err := decodeJSON(data)
	object, ok := value.(map[string]any)
	if err != nil || !ok {
		return errNotJWT
	}
	*into = object
	return nil
}

func part(object map[string]any) string {
	data, err := json.Marshal(object) // what was read from JSON can be written
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(data)
}
