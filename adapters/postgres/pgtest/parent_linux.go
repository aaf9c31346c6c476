package pgtest

import "syscall"

// dieWithParent ends the server also if the test is killed.
func dieWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGQUIT }
