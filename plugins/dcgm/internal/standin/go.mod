module github.com/NVIDIA/go-dcgm

go 1.23
