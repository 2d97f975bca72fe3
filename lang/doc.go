// Package lang runs SwarmScript: Starlark, with values that are not known yet.
//
// A [Session] evaluates one entry script and the modules it loads, on one
// thread, so that steps, cancellation and call stacks are one thing and need
// no joining. What a script may read is fixed before it runs: files under the
// root, the standard library, and the builtins it was given. The same inputs
// give the same result; every input that was read is recorded.
//
// # Values that are not known yet
//
// A [Deferred] stands for an output of a resource that does not exist before
// apply. Starlark cannot keep it opaque on its own: x == y is False when the
// types differ, `if x` calls a method that has no error, and "%s" % x asks only
// the left operand. So a parsed file is rewritten before it is compiled, and
// those operators become calls of predeclared functions whose names no script
// can spell. Positions are kept, so an error points at what the user wrote.
//
// # Limits
//
// A script is somebody else's program, and Go cannot recover from a stack
// overflow or from running out of memory. Four things are bounded, each where
// it costs least:
//
//   - Steps, by the interpreter. Guarded operations add what they copied or
//     looked at, so one budget bounds work in Go as well.
//   - One value's size, by the guards of the operations that can multiply:
//   - * % << += format, join, replace, range, list, extend and so on.
//   - Nesting. Lists and dicts can be changed after they were nested, so no
//     check at construction would hold; instead every place that recurses into
//     them (freezing, text, JSON, comparison) measures first, with an explicit
//     stack and a budget. Tuples and structs are hashed by operations too many
//     to guard (each d[k]), but they never change: they are measured when they
//     are built, and again only through what they hold.
//   - Memory, by looking at the heap every million steps, and before operations
//     that allocate much, one by one or together.
package lang
