package knowledge

import (
	"reflect"
	"testing"
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
		if len(u.Fields) == 0 || u.Why == "" || u.How["any"] == "" {
			t.Errorf("unknown %s is incomplete: %+v", u.ID, u)
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
