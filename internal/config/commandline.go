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
// a flag where the environment was wrong. So CommandLine reads the environment itself and notes every value that it cannot read.
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

// lenient is a mapper that fails for no value: one that cannot be read makes its flag a broken one, and the other flags are still read.
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

// Parse reads arguments, environment and file, and returns where the values came from. If the arguments cannot be parsed, it returns no
// context and every mistake in them. Mistakes in values are in the error of Parse too, unless the verb has Loaded settings: its method
// Check returns them then.
func (c *CommandLine) Parse(args []string) (*kong.Context, Origins, error) {
	parsed, errs := c.arguments(args)
	if parsed == nil {
		return nil, nil, errors.Join(errs...)
	}
	origins, reported := make(Origins), make(map[string]bool)
	given := make(map[*kong.Flag]bool)
	for _, step := range parsed.Path {
		if step.Flag != nil {
			given[step.Flag] = true
		}
	}
	verb := parsed.Selected()
	settings, loads := reflect.TypeAssert[interface{ loaded() *Loaded }](verb.Target.Addr())
	for _, flag := range verb.Flags {
		if origin := c.originOf(flag, given[flag]); origin.kind != fromDefault {
			origins[flag.Name] = origin
		}
		if problem := c.problem(flag, !loads); problem != "" {
			errs = append(errs, origins.Errorf(flag.Name, "%s", problem))
			reported[keyOf(flag.Name)] = true
		}
	}
	if strict(verb) {
		errs = append(errs, unknownVariables(c.envs)...)
	}
	if loads {
		settings.loaded().load(origins, reported, errs)
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
			after++ // the value of the flag
		}
		args = slices.Delete(args, i, after)
	}
}

// originOf returns where the value of a flag comes from. The value of a flag that the command line does not have is read from the
// environment here.
func (c *CommandLine) originOf(flag *kong.Flag, given bool) Origin {
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

// problem returns what is wrong with the value of a flag by itself, empty = nothing. Where checkEnum is false, the list of allowed words
// is not looked at: for Loaded settings, a rule of the configuration's proto does that.
func (c *CommandLine) problem(flag *kong.Flag, checkEnum bool) string {
	if c.broken[flag] {
		return mistakes[flag.Target.Type()]
	}
	if allowed := c.enums[flag]; checkEnum && allowed != nil && !slices.Contains(allowed, flag.Target.String()) {
		return "is none of " + strings.Join(allowed, ", ")
	}
	return ""
}
