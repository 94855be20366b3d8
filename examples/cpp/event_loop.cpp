// Two answers in an event loop, here poll over an eventfd: event_loop MODEL.gguf
//
// The callbacks run on a thread of the engine. They only put what there is to do into the loop's queue.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <functional>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <string>

#include <zerohop.hpp>

namespace {

class Loop {
 public:
  Loop() : wakeup_(eventfd(0, EFD_CLOEXEC)) {
    if (wakeup_ < 0) throw std::runtime_error("no eventfd");
  }
  Loop(const Loop &) = delete;
  Loop &operator=(const Loop &) = delete;
  ~Loop() { close(wakeup_); }

  // From any thread: has the loop do something.
  void post(std::function<void()> work) {
    {
      const std::lock_guard<std::mutex> guard(lock_);
      queue_.push_back(std::move(work));
    }
    const std::uint64_t one = 1;
    if (write(wakeup_, &one, sizeof one) < 0) std::terminate();
  }

  // Waits for something to do, and does it.
  void turn() {
    // A program's own descriptors would be here too.
    pollfd descriptors[] = {{wakeup_, POLLIN, 0}};
    std::uint64_t count;
    if (poll(descriptors, 1, -1) < 0 && errno != EINTR) throw std::runtime_error("poll failed");
    if (descriptors[0].revents != 0 && read(wakeup_, &count, sizeof count) < 0) throw std::runtime_error("read failed");
    std::deque<std::function<void()>> work;
    {
      const std::lock_guard<std::mutex> guard(lock_);
      work.swap(queue_);
    }
    for (const auto &each : work) each();
  }

 private:
  int wakeup_;
  std::mutex lock_;
  std::deque<std::function<void()>> queue_;
};

}  // namespace

int main(int argc, char **argv) try {
  if (argc < 2) return 2;
  // Outlives the engine, whose callbacks use it.
  Loop loop;
  const zerohop::Engine engine(zerohop::Model("chat", argv[1]));
  int running = 0;
  for (const std::string country : {"France", "Italy"}) {
    const std::string body = R"({"model": "chat", "stream": true, "temperature": 0, "max_completion_tokens": 50,
      "messages": [{"role": "user", "content": "What is the capital of )" + country + R"(? Answer in one sentence."}]})";
    engine.submit(
        {"/v1/chat/completions", body},
        [&loop, country](const zerohop::Event &event) {
          loop.post([country, text = std::string(event.text())] { std::cout << country << ": " << text << "\n"; });
          return true;
        },
        [&loop, &running, country](zerohop::Completion completion) {
          loop.post([&running, country, status = completion.status] {
            std::cout << country << " ended with " << zerohop_status_name(status) << "\n";
            running--;
          });
        });
    running++;
  }
  while (running > 0) loop.turn();
} catch (const std::exception &error) {
  std::cerr << error.what() << "\n";
  return 1;
}
