package orchestrators

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/chaos-startup/chaos/timeline"
)

// ImportCompose reads the healthcheck and the restart policy of a service from a Compose file. An empty service is the only one that there is.
// Variables, `extends` and `include` are not followed.
func ImportCompose(data []byte, service string) (*Compose, *Mistake) {
	roots, mistake := documents(data)
	if mistake != nil {
		return nil, mistake
	}
	var services []pair
	for _, root := range roots {
		services = append(services, pairs(child(root, "services"))...)
	}
	if len(services) == 0 {
		return nil, &Mistake{Text: "there is no service in it", Expected: "`services`"}
	}
	var names []string
	for _, s := range services {
		names = append(names, s.key.Value)
	}
	switch {
	case service == "" && len(names) > 1:
		return nil, &Mistake{Choice: "service", Text: "the Compose file has several services", Expected: "`service`: one of " + strings.Join(names, ", ")}
	case service == "":
		service = names[0]
	}
	for _, s := range services {
		if s.key.Value == service {
			return readComposeService(s)
		}
	}
	return nil, &Mistake{Choice: "service", Text: "unknown service `" + service + "`", Wrong: service, Known: names}
}

var restartPolicy = regexp.MustCompile(`^(no|always|unless-stopped|on-failure(:[0-9]+)?)$`)

// ComposeRestart tells whether Compose knows a restart policy.
func ComposeRestart(policy string) bool { return restartPolicy.MatchString(policy) }

func readComposeService(s pair) (*Compose, *Mistake) {
	c := &Compose{Source: "service " + s.key.Value}
	if n := child(s.value, "restart"); n != nil {
		c.Restart = text(n)
		if n.ShortTag() == "!!bool" {
			c.Restart = "no" // written without quotes
		}
		if !restartPolicy.MatchString(c.Restart) {
			return nil, wrong(n, "no, always, unless-stopped, on-failure or on-failure:N", "unknown restart policy `%s`", text(n))
		}
	}
	check := child(s.value, "healthcheck")
	if check == nil {
		if n := child(s.value, "extends"); n != nil {
			return nil, wrong(n, "the healthcheck in the service itself", "`extends` is not followed")
		}
		c.NoHealthcheck = true
		return c, nil
	}
	if check.Kind != yaml.MappingNode {
		return nil, wrong(check, "a mapping", "`healthcheck` is not a mapping")
	}
	if mistake := c.read(check); mistake != nil {
		return nil, mistake
	}
	return c, nil
}

// read fills c from a healthcheck.
func (c *Compose) read(check *yaml.Node) *Mistake {
	durations := map[string]*timeline.Duration{
		"interval": &c.Interval, "timeout": &c.Timeout, "start_period": &c.StartPeriod, "start_interval": &c.StartInterval,
	}
	for _, f := range pairs(check) {
		name := f.key.Value
		var mistake *Mistake
		switch to := durations[name]; {
		case to != nil:
			*to, mistake = composeDuration(f.value, name)
		case name == "retries":
			c.Retries, mistake = number(f.value, name, 0)
		case name == "disable":
			c.NoHealthcheck = c.NoHealthcheck || text(f.value) == "true"
		case name == "test":
			c.test(f.value)
		case strings.HasPrefix(name, "x-"):
		default:
			mistake = wrong(f.key, "", "unknown field `%s` in a healthcheck", name)
			mistake.Wrong, mistake.Known = name, []string{"disable", "interval", "retries", "start_interval", "start_period", "test", "timeout"}
		}
		if mistake != nil {
			return mistake
		}
	}
	return nil
}

func composeDuration(n *yaml.Node, name string) (timeline.Duration, *Mistake) {
	const want = "a duration such as 5s or 1m30s"
	if strings.Contains(text(n), "${") {
		return 0, wrong(n, want, "`%s` is a variable, whose value is not known here", name)
	}
	d, err := time.ParseDuration(text(n))
	if err != nil || d < 0 {
		return 0, wrong(n, want, "`%s` is not a duration", name)
	}
	return timeline.Duration(d), nil
}

var urlInTest = regexp.MustCompile(`https?://[^\s"'|;)]+`)

// test looks at the command of a healthcheck: NONE turns it off, and a URL in it is what it asks.
func (c *Compose) test(n *yaml.Node) {
	words := text(n)
	for _, item := range items(n) {
		words += " " + text(item)
	}
	if strings.TrimSpace(words) == "NONE" {
		c.NoHealthcheck = true
	}
	if u, err := url.Parse(urlInTest.FindString(words)); err == nil && u.Host != "" {
		c.Path = u.Path
		if c.Path == "" {
			c.Path = "/"
		}
	}
}
