package probes

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// errRedis is an error reply: what the server said after the minus.
type errRedis string

func (e errRedis) Error() string { return string(e) }

var errNotRESP = errors.New("an answer that is not Redis's protocol")

// Bounds of one reply. go-redis is not used because it allocates whatever length a reply announces: a corrupted "*100000000"
// takes 2.5 GB and seconds beyond every deadline.
const (
	maxReplyDepth    = 8
	maxReplyElements = 64 << 10
)

// writeCommand sends args as RESP: an array of bulk strings.
func writeCommand(w io.Writer, args ...string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// readReply reads one RESP2 reply as text: a list is one line for each element, nothing is "(nil)". An error reply is an errRedis.
func readReply(r *bufio.Reader) (string, error) {
	left := maxReplyElements
	return readElement(r, maxReplyDepth, &left)
}

func readElement(r *bufio.Reader, depth int, left *int) (string, error) {
	if *left--; *left < 0 || depth < 0 {
		return "", errTooLarge
	}
	line, err := readLine(r)
	if err != nil {
		return "", err
	}
	if line == "" {
		return "", errNotRESP
	}
	switch rest := line[1:]; line[0] {
	case '+':
		return rest, nil
	case '-':
		return "", errRedis(rest)
	case ':':
		if _, err := strconv.ParseInt(rest, 10, 64); err != nil {
			return "", errNotRESP
		}
		return rest, nil
	case '$':
		return readBulk(r, rest)
	case '*':
		return readList(r, rest, depth, left)
	}
	return "", errNotRESP
}

// readLine reads up to CRLF, at most the reader's buffer.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", errNotRESP
	}
	if err != nil {
		return "", err
	}
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return "", errNotRESP
	}
	return text, nil
}

const nothing = "(nil)"

func readBulk(r *bufio.Reader, length string) (string, error) {
	n, err := strconv.Atoi(length)
	switch {
	case err != nil || n < -1:
		return "", errNotRESP
	case n == -1:
		return nothing, nil
	case n > maxRead:
		return "", errTooLarge
	}
	data := make([]byte, n+2)
	if _, err := io.ReadFull(r, data); err != nil {
		return "", err
	}
	text, ok := strings.CutSuffix(string(data), "\r\n")
	if !ok {
		return "", errNotRESP
	}
	return text, nil
}

func readList(r *bufio.Reader, length string, depth int, left *int) (string, error) {
	n, err := strconv.Atoi(length)
	switch {
	case err != nil || n < -1:
		return "", errNotRESP
	case n == -1:
		return nothing, nil
	case n > *left:
		return "", errTooLarge
	}
	var lines []string
	total := 0
	for range n {
		line, err := readElement(r, depth-1, left)
		var inner errRedis
		if errors.As(err, &inner) {
			line, err = "(error) "+string(inner), nil
		}
		if err != nil {
			return "", err
		}
		if total += len(line); total > maxRead {
			return "", errTooLarge
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), nil
}
