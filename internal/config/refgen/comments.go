package refgen

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"unicode"

	"github.com/filelessd/filelessd/internal/config"
)

const module = "github.com/filelessd/filelessd"

// comments finds the comments of struct fields in the source of the module.
type comments struct {
	root  string
	files map[string]map[string]string // of a package, the comments by Type.Field
	err   error                        // the first
}

// of returns the comment of a key of t as one line, with keys in the place of fields.
func (c *comments) of(t reflect.Type, k config.Key) string {
	owner := t
	for _, i := range k.Index[:len(k.Index)-1] {
		owner = owner.Field(i).Type
	}
	text := c.parsed(owner.PkgPath())[owner.Name()+"."+k.Field.Name]
	for _, other := range config.Keys(owner) {
		text = rename(text, other.Field.Name, other.Name)
	}
	return text
}

// rename replaces the name of a field by its key: where it begins the text, where it can be no
// other word, and where it is no word that begins a sentence.
func rename(text, field, key string) string {
	if rest, ok := strings.CutPrefix(text, field); ok && !startsWithLetter(rest) {
		text = key + rest
	}
	upper := strings.IndexFunc(field[1:], unicode.IsUpper) >= 0
	lower := strings.IndexFunc(field, unicode.IsLower) >= 0
	word := regexp.MustCompile(`([a-z,;] )` + field + `\b`)
	if upper && lower {
		word = regexp.MustCompile(`(\b)` + field + `\b`)
	}
	if lower {
		text = word.ReplaceAllString(text, "${1}"+key)
	}
	return text
}

func startsWithLetter(text string) bool {
	return text != "" && (unicode.IsLetter(rune(text[0])) || unicode.IsDigit(rune(text[0])))
}

// parsed returns the comments of a package, by Type.Field. One of another module has none.
func (c *comments) parsed(pkg string) map[string]string {
	if found, ok := c.files[pkg]; ok {
		return found
	}
	found := map[string]string{}
	c.files[pkg] = found
	dir, ok := strings.CutPrefix(pkg, module+"/")
	if !ok {
		return found
	}
	names, err := filepath.Glob(filepath.Join(c.root, dir, "*.go"))
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("no Go files of %s below %s", pkg, c.root)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, parseErr := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if parseErr != nil {
			err = parseErr
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				addFields(found, spec)
			}
			return true
		})
	}
	if c.err == nil {
		c.err = err
	}
	return found
}

func addFields(found map[string]string, spec *ast.TypeSpec) {
	structure, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range structure.Fields.List {
		text := field.Doc.Text()
		if text == "" {
			text = field.Comment.Text()
		}
		for _, name := range field.Names {
			found[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(text), " ")
		}
	}
}
