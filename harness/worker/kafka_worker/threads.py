"""Several members in one process, a thread each: one consumer a thread, as the libraries' documentation recommends."""

import threading

EXIT_THREAD_DIED = 1


def serve_in_threads(serve, controls):
    """Serve each control in a thread of its own; returns the highest exit status, once all have ended.

    A thread that ends without a word has crashed: its control is closed, which is all that the harness sees of it.
    """
    statuses = [EXIT_THREAD_DIED] * len(controls)

    def run(number):
        try:
            statuses[number] = serve(controls[number])
        finally:
            controls[number].close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(controls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(statuses)
