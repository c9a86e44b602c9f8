-- Queues in which somebody waits at this moment.
SELECT if(queue = '', 'not said', queue) AS queue, channel, waiting, longest_wait_s FROM queue_now
