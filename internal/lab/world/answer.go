package world

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
)

// answerHTTP answers what a container would: that it is not simulated, and who
// would. A client that speaks something else is answered nothing.
func answerHTTP(c net.Conn, who func() string) {
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		text := "not simulated: " + who() + "\n"
		// The body may be anything; what comes after it is the next request.
		if _, err := io.Copy(io.Discard, io.LimitReader(req.Body, 1<<20)); err != nil {
			return
		}
		length := len(text)
		if req.Method == http.MethodHead {
			text = ""
		}
		_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nServer: swarmscript-lab\r\nContent-Length: %d\r\n\r\n%s", length, text)
		if err != nil || req.Close {
			return
		}
	}
}
