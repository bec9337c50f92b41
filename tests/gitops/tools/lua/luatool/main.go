// Command luatool runs health scripts with the Lua interpreter that Argo CD uses, and as Argo CD runs them: with the
// libraries base and table alone, for a second at most, and with the resource as `obj`. Standard input is
//
//	{"script": "...", "objects": [...]}
//
// and what the script returns for each object is printed as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

type request struct {
	Script  string            `json:"script"`
	Objects []json.RawMessage `json:"objects"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "luatool: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	asked := request{}
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return err
	}
	answers := make([]json.RawMessage, 0, len(asked.Objects))
	for _, object := range asked.Objects {
		answer, err := evaluate(asked.Script, object)
		if err != nil {
			return err
		}
		answers = append(answers, answer)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func evaluate(script string, object []byte) ([]byte, error) {
	machine := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer machine.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	machine.SetContext(ctx)
	for name, library := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		call := lua.P{Fn: machine.NewFunction(library), Protect: true}
		if err := machine.CallByParam(call, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	value, err := luajson.Decode(machine, object)
	if err != nil {
		return nil, err
	}
	machine.SetGlobal("obj", value)
	if err := machine.DoString(script); err != nil {
		return nil, err
	}
	return luajson.Encode(machine.Get(-1))
}
