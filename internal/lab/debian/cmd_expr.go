package debian

import (
	"context"
	"strconv"
	"strings"
)

// exprProgram is expr for sums, comparisons and the lengths of texts.
func exprProgram(_ context.Context, c *call) int {
	a := c.args[1:]
	result := ""
	switch {
	case len(a) == 1:
		result = a[0]
	case len(a) == 2 && a[0] == "length":
		result = strconv.Itoa(len(a[1]))
	case len(a) == 3:
		x, err := strconv.ParseInt(a[0], 10, 64)
		y, err2 := strconv.ParseInt(a[2], 10, 64)
		numbers := err == nil && err2 == nil
		switch {
		case a[1] == "=" || a[1] == "!=":
			result = strconv.Itoa(b2i((a[0] == a[2]) == (a[1] == "=")))
		case !numbers:
			if strings.Contains("+ - * / %", a[1]) {
				return c.fail(2, "non-integer argument")
			}
			return c.notSimulated(strings.Join(a, " "))
		case (a[1] == "/" || a[1] == "%") && y == 0:
			return c.fail(2, "division by zero")
		default:
			n, ok := calculate(x, a[1], y)
			if !ok {
				return c.notSimulated(strings.Join(a, " "))
			}
			result = strconv.FormatInt(n, 10)
		}
	default:
		return c.notSimulated(strings.Join(a, " "))
	}
	c.printf("%s\n", result)
	return b2i(result == "" || result == "0")
}

func calculate(x int64, op string, y int64) (int64, bool) {
	switch op {
	case "+":
		return x + y, true
	case "-":
		return x - y, true
	case "*":
		return x * y, true
	case "/":
		return x / y, true
	case "%":
		return x % y, true
	case "<":
		return int64(b2i(x < y)), true
	case "<=":
		return int64(b2i(x <= y)), true
	case ">":
		return int64(b2i(x > y)), true
	case ">=":
		return int64(b2i(x >= y)), true
	}
	return 0, false
}
