package config

import (
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

const configKey = "config"

// CommandLine reads the command line together with the environment and the configuration file. The command line wins over the
// environment, the environment over the file, the file over the default. kong by itself reports the first mistake alone, and names
// a flag where the environment was wrong; so CommandLine takes the environment out of its hands and notes what it cannot read.
type CommandLine struct {
	parser *kong.Kong
	// envs are the variables of all verbs.
	envs []string
	// enums are the words that a flag may have, by flag.
	enums map[*kong.Flag][]string
	// broken are the flags whose last value could not be read.
	broken map[*kong.Flag]bool
}

// NewCommandLine makes a parser read the environment and the file, too. Help has the names of variables by HelpValue.
func NewCommandLine(parser *kong.Kong) *CommandLine {
	c := &CommandLine{parser: parser, enums: make(map[*kong.Flag][]string), broken: make(map[*kong.Flag]bool)}
	for _, verb := range parser.Model.Leaves(false) {
		for _, flag := range verb.Flags {
			if env := flag.Tag.Get("env"); env != "" && !slices.Contains(c.envs, env) {
				c.envs = append(c.envs, env)
			}
			if flag.Enum != "" {
				c.enums[flag] = strings.Split(flag.Enum, ",")
			}
			flag.Envs, flag.Tag.Envs, flag.Enum, flag.Tag.Enum = nil, nil, "", ""
			flag.Mapper = lenient{Mapper: flag.Mapper, flag: flag, broken: c.broken}
		}
	}
	return c
}

// HelpValue is a kong.HelpValueFormatter that names the environment variable of a flag.
func HelpValue(value *kong.Value) string {
	env := value.Tag.Get("env")
	if env == "" {
		return value.Help
	}
	text, dot := strings.CutSuffix(value.Help, ".")
	text += " ($" + env + ")"
	if dot {
		text += "."
	}
	return text
}

// lenient reads the value of a flag and notes that it could not, so that the others are read as well.
type lenient struct {
	kong.Mapper

	flag   *kong.Flag
	broken map[*kong.Flag]bool
}

var _ kong.BoolMapper = lenient{}

// Decode implements kong.Mapper.
func (l lenient) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	token := ctx.Scan.Peek()
	if l.IsBool() || token.IsValue() {
		empty := token.IsValue() && token.Value == "" && l.flag.Tag.Type == "path"
		if empty { // kong would take it for the folder that the process runs in
			ctx.Scan.Pop()
			target.SetString("")
			return nil
		}
		if l.Mapper.Decode(ctx, target) != nil {
			l.broken[l.flag] = true
		}
		return nil
	}
	return l.Mapper.Decode(ctx, target)
}

// IsBool implements kong.BoolMapper.
func (l lenient) IsBool() bool {
	inner, ok := l.Mapper.(kong.BoolMapper)
	return ok && inner.IsBool()
}

// Parse reads arguments, environment and file. A verb with Sourced settings gets everything that is wrong by its Check; for another
// verb, and where no verb can be made out, it is the error.
func (c *CommandLine) Parse(args []string) (*kong.Context, Origins, error) {
	parsed, errs := c.arguments(args)
	if parsed == nil {
		return nil, nil, errors.Join(errs...)
	}
	origins, wrong := make(Origins), make(map[string]bool)
	given := make(map[*kong.Flag]bool)
	for _, step := range parsed.Path {
		if step.Flag != nil {
			given[step.Flag] = true
		}
	}
	verb := parsed.Selected()
	settings, sourced := reflect.TypeAssert[interface{ sourced() *Sourced }](verb.Target.Addr())
	for _, flag := range verb.Flags {
		if origin := c.read(flag, given[flag]); origin.kind != fromDefault {
			origins[flag.Name] = origin
		}
		if problem := c.problem(flag, !sourced); problem != "" {
			errs = append(errs, origins.Wrong(flag.Name, "%s", problem))
			wrong[keyOf(flag.Name)] = true
		}
	}
	if strict(verb) {
		errs = append(errs, unknownVariables(c.envs)...)
	}
	if sourced {
		settings.sourced().load(origins, wrong, errs)
		return parsed, origins, nil
	}
	return parsed, origins, errors.Join(errs...)
}

// strict reports whether a verb refuses variables that no verb knows. One that asks a running gateway does not.
func strict(verb *kong.Node) bool {
	return !verb.Tag.Has("lax") && slices.ContainsFunc(verb.Flags, func(flag *kong.Flag) bool { return flag.Tag.Has("env") })
}

// arguments parses the command line. Unknown flags are noted and left out, so that the rest is read.
func (c *CommandLine) arguments(args []string) (*kong.Context, []error) {
	var errs []error
	args = slices.Clone(args)
	for {
		parsed, err := c.parser.Parse(args)
		if err == nil {
			return parsed, errs
		}
		errs = append(errs, err)
		name, unknown := strings.CutPrefix(err.Error(), "unknown flag ")
		name, _, _ = strings.Cut(name, ",")
		i := slices.IndexFunc(args, func(arg string) bool { return arg == name || strings.HasPrefix(arg, name+"=") })
		if !unknown || i < 0 {
			return nil, errs
		}
		after := i + 1
		if args[i] == name && after < len(args) && !strings.HasPrefix(args[after], "-") {
			after++ // its value
		}
		args = slices.Delete(args, i, after)
	}
}

// read reads the value of a flag that the command line does not have from the environment.
func (c *CommandLine) read(flag *kong.Flag, given bool) Origin {
	env := flag.Tag.Get("env")
	if given {
		return Origin{kind: fromFlag, env: env}
	}
	value, set := os.LookupEnv(env)
	if env == "" || !set {
		return Origin{}
	}
	delete(c.broken, flag)
	token := kong.Token{Type: kong.FlagValueToken, Value: value}
	if err := flag.Parse(kong.ScanFromTokens(token), flag.Target); err != nil {
		c.broken[flag] = true
	}
	return Origin{kind: fromEnvironment, env: env}
}

// problem says what is wrong with the value of a flag by itself, if anything. The rules of Sourced settings have their words.
func (c *CommandLine) problem(flag *kong.Flag, words bool) string {
	if c.broken[flag] {
		return expected[flag.Target.Type()]
	}
	if allowed := c.enums[flag]; words && allowed != nil && !slices.Contains(allowed, flag.Target.String()) {
		return "is none of " + strings.Join(allowed, ", ")
	}
	return ""
}
