/* Stream transports. */
typedef int ou_stream_unused;
