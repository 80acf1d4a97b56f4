// Command lookup looks up a name and prints its addresses, or what went wrong.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
)

func main() {
	addresses, err := net.LookupHost(os.Args[1])
	if err == nil {
		slices.Sort(addresses)
		fmt.Println("ok " + strings.Join(addresses, " "))
		return
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		fmt.Printf("%s notfound=%t temporary=%t timeout=%t\n", dns.Err, dns.IsNotFound, dns.IsTemporary, dns.IsTimeout)
		return
	}
	fmt.Println(err)
}
