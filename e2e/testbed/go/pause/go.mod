module sinter.dev/testbed/pause

go 1.24.0
