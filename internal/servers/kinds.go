package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Kind describes a server that can be started.
type Kind struct {
	// Name is what `server:` of a dependency is set to.
	Name string
	// Doc says what is started, with which settings, and what a namespace is.
	Doc string
	// Standin says what the stand-in does and what it does not.
	Standin string
	// Install is the command that gets the real one, on Debian.
	Install string

	binary       string   // the program that serves
	folders      []string // where it is looked for after PATH; patterns
	startReal    func(context.Context, string, Options) (*Server, error)
	startStandin func(context.Context, Options) (*Server, error)
}

// Kinds lists the servers that can be started. To add one, write its two start
// functions in a file of their own and a line here.
func Kinds() []Kind {
	return []Kind{postgresKind(), redisKind(), clickhouseKind(), natsKind()}
}

func kindOf(name string) (Kind, error) {
	var names []string
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kind{}, fmt.Errorf("server %q is not known: choose one of %s", name, strings.Join(names, ", "))
}

// Find looks for the installed server of a kind: in PATH, then in the folders
// where Debian keeps servers, newest version first.
func Find(kind string) (path string, ok bool) {
	k, err := kindOf(kind)
	if err != nil {
		return "", false
	}
	return k.find()
}

func (k Kind) find() (string, bool) {
	if path, err := exec.LookPath(k.binary); err == nil {
		if path, err = filepath.Abs(path); err == nil {
			return path, true
		}
	}
	for _, folder := range k.folders {
		found, err := filepath.Glob(filepath.Join(folder, k.binary))
		if err != nil {
			continue
		}
		slices.SortFunc(found, func(a, b string) int { return versionOf(b) - versionOf(a) })
		for _, path := range found {
			if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o111 != 0 {
				return path, true
			}
		}
	}
	return "", false
}

// versionOf makes the version in a path comparable: 1500 of
// /usr/lib/postgresql/15/bin/postgres, 960 of 9.6, 0 where there is none. The
// last number in the path counts.
func versionOf(path string) int {
	version := 0
	for part := range strings.SplitSeq(path, string(filepath.Separator)) {
		if v, err := strconv.ParseFloat(part, 64); err == nil {
			version = int(v * 100)
		}
	}
	return version
}
