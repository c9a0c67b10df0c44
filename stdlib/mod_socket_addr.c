/* Addresses of sockets. */
typedef int ou_socket_addr_unused;
