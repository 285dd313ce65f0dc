package knowledge

import (
	"reflect"
	"testing"

	"github.com/filelessd/filelessd/pkg/event"
)

func TestLoad(t *testing.T) {
	b, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	lists := reflect.ValueOf(b.Lists)
	for i := range lists.NumField() {
		l, ok := lists.Field(i).Interface().(List)
		if name := lists.Type().Field(i).Name; !ok || len(l.Values) == 0 || l.Source == "" {
			t.Errorf("list %s has no values or no source: %+v", name, l)
		}
	}
	for _, f := range b.Factors {
		if f.Weight == 0 || f.Reason == "" || f.Source == "" {
			t.Errorf("factor %s is incomplete: %+v", f.ID, f)
		}
	}
	for _, tech := range b.Techniques {
		if tech.Name == "" || tech.Source == "" || len(tech.Predicates) == 0 || len(tech.Attack) == 0 {
			t.Errorf("technique %s is incomplete: %+v", tech.ID, tech)
		}
	}
	for _, u := range b.Unknowns {
		if (len(u.Fields) == 0) != (u.Scope == "always") || u.Why == "" || u.How["any"] == "" {
			t.Errorf("unknown %s is incomplete: %+v", u.ID, u)
		}
	}
	for _, tech := range b.Techniques {
		if tech.Deed.Did == "" || tech.Deed.Is == "" && tech.ID != "process_injection" || tech.Deed.So == "" || tech.Blind == "" {
			t.Errorf("technique %s has no words for a summary: %+v", tech.ID, tech.Deed)
		}
	}
	for id, f := range b.Findings {
		if id == "" || f.Statement == "" || f.Source == "" {
			t.Errorf("finding %s is incomplete: %+v", id, f)
		}
	}
	seen := map[string]bool{}
	for _, e := range b.Explanations {
		if seen[e.ID] || e.Statement == "" || e.Source == "" || e.Because == "" && len(e.For) == 0 {
			t.Errorf("explanation %s is incomplete or there twice: %+v", e.ID, e)
		}
		seen[e.ID] = true
		for _, c := range e.Against {
			if c.Words == "" || c.Weight >= 0 {
				t.Errorf("explanation %s: what speaks against it is incomplete: %+v", e.ID, c)
			}
		}
	}
	for _, a := range b.Attack {
		versions := map[string]bool{}
		for _, tactic := range a.Tactics {
			versions[tactic.Version] = true
		}
		if !versions["v18"] || !versions["v19"] {
			t.Errorf("ATT&CK %s: want tactics of v18 and v19, got %v", a.ID, a.Tactics)
		}
	}
}

func TestListNames(t *testing.T) {
	l := List{Values: []string{"php-fpm", "python", "node"}}
	for name, want := range map[string]bool{
		"php-fpm": true, "php-fpm8.2": true, "python3.11": true, "python": true,
		"": false, "nodejs": false, "3.11": false, "php": false, "python3-config": false,
	} {
		if got := l.HasName(name); got != want {
			t.Errorf("HasName(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestPlaces(t *testing.T) {
	text := ByPlace{"any": "a", "container": "c", "docker": "d", "failed": "f"}
	for _, c := range []struct {
		fields []string
		want   string
	}{
		{nil, "a"},
		{[]string{"container.id", "host"}, "a"},
		{[]string{"container.id", "0123456789ab"}, "c"},
		{[]string{"container.id", "0123456789ab", "container.type", "docker"}, "d"},
		{[]string{"container.id", "0123456789ab", "container.type", "containerd"}, "c"},
		{[]string{"container.id", "0123456789ab", "container.type", "docker", "k8s.pod.name", "p"}, "c"},
		{[]string{"container.id", "host", "evt.res", "EPERM"}, "f"},
		{[]string{"evt.res", "SUCCESS"}, "a"},
	} {
		var e event.Event
		for i := 0; i < len(c.fields); i += 2 {
			e.SetField(c.fields[i], c.fields[i+1])
		}
		if got := text.At(PlacesOf(&e)); got != c.want {
			t.Errorf("%v: %s, want %s", c.fields, got, c.want)
		}
	}
}
