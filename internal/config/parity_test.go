package config_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/parley-gateway/parley/internal/config"
	"github.com/parley-gateway/parley/internal/configpb"
)

// TestProtoHasTheSettings: one setting, one meaning. The message of the file has each setting of the struct with its
// type and its words, a tenant has those of Microsoft Graph, and neither has more.
func TestProtoHasTheSettings(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "configpb", "config.proto"))
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(strings.ReplaceAll(string(text), "// ", " ")), " ")
	kinds := map[reflect.Type]protoreflect.Kind{
		reflect.TypeFor[string](): protoreflect.StringKind, reflect.TypeFor[int](): protoreflect.Int64Kind,
		reflect.TypeFor[float64](): protoreflect.DoubleKind, reflect.TypeFor[bool](): protoreflect.BoolKind,
		reflect.TypeFor[time.Duration](): protoreflect.MessageKind,
	}
	file, tenant := (&configpb.Settings{}).ProtoReflect().Descriptor().Fields(), (&configpb.Tenant{}).ProtoReflect().Descriptor().Fields()
	inFile, inTenant := 1, 0 // tenants is no setting of the struct
	fields := reflect.TypeFor[config.Settings]()
	for field := range fields.Fields() {
		name := field.Tag.Get("name")
		if name == "" {
			continue
		}
		key := protoreflect.Name(strings.ReplaceAll(name, "-", "_"))
		inFile++
		if have := file.ByName(key); have == nil || have.Kind() != kinds[field.Type] || !have.HasPresence() {
			t.Errorf("%s: %v in the proto, want an optional %v", key, have, kinds[field.Type])
		}
		if !strings.Contains(words, field.Tag.Get("help")) {
			t.Errorf("%s: the proto's comment is not the help of the flag: %s", key, field.Tag.Get("help"))
		}
		if field.Tag.Get("group") != "Microsoft Graph" {
			continue
		}
		inTenant++
		if have := tenant.ByName(key); have == nil || have.Kind() != kinds[field.Type] {
			t.Errorf("%s: %v in a tenant of the proto, want an optional %v", key, have, kinds[field.Type])
		}
	}
	if file.Len() != inFile || tenant.Len() != inTenant {
		t.Errorf("the proto has %d settings and %d of a tenant, the struct %d and %d", file.Len(), tenant.Len(), inFile, inTenant)
	}
}

// TestDefaultsAreTheSameEverywhere is of the same kind: what the command line has without flags is what Defaults returns, and the
// defaults break no rule.
func TestDefaultsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	want, err := config.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	have := loaded(t)
	if diff := cmp.Diff(want, have.Settings, cmpopts.IgnoreUnexported(config.Settings{})); diff != "" {
		t.Errorf("defaults (-Defaults +command line):\n%s", diff)
	}
	if err := have.Check(); err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "PARLEY_GRAPH_CREDENTIAL: is not set") {
		t.Errorf("%v, want nothing but a credential to be missing", err)
	}
}

// elsewhere are folders that the rule of TestOnlyThisPackageNamesSettings leaves out: this package's own, generated code, tools, and the
// programs of other modules, whose settings are their own.
var elsewhere = map[string]bool{
	"bench": true, "clients": true, "export": true, "gen": true, "internal/config": true, "internal/configpb": true, "tools": true,
}

// TestOnlyThisPackageNamesSettings: one place for settings. No production code outside this package names a variable. Comments of
// the contract may: they tell operators what to set.
func TestOnlyThisPackageNamesSettings(t *testing.T) {
	t.Parallel()
	root := os.DirFS(filepath.Join("..", ".."))
	err := fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if strings.HasPrefix(path, ".") && path != "." || elsewhere[path] {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, path)
		if strings.Contains(string(text), "PARLEY"+"_") {
			t.Errorf("%s names a variable; libraries return field errors, and internal/config translates them", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
