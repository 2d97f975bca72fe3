// Package scripttest runs tests of cluster scripts: functions test_*(t) of
// *_test.star files, in source order.
//
// A test is an evaluation of its own. The file's top level is run for each of
// its tests anew, with a recorder, a session and a lab that no other test has,
// so tests may run at once and see nothing of one another. What a test gives to
// t.plan() and t.apply() is a function that declares, taken down apart, or the
// path of a script; both go through internal/run as a verb's script does. A test
// reaches its lab and nothing else: other scopes are taken not to be there when
// something is planned, and nothing is applied to them.
//
// A lab is begun when something is applied or a host is asked for, and ended with
// its test, whatever comes of it.
package scripttest
