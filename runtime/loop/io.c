/* Watchers of descriptors. */
typedef int ou_io_unused;
