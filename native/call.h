// One call from Python, and the threads that work on it.
//
// Whatever ends one of them ends the call: the others leave where they next look up or wait, and the exception is
// thrown again in the thread that called. That thread also asks the door now and then, so that Ctrl-C is obeyed.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "rollout.h"

namespace planaria {

class Call {
  public:
    // `interrupt` is called in the thread that called, every 100 ms; it throws where the call is to end. May be null.
    explicit Call(void (*interrupt)()) : interrupt_(interrupt), next_(std::chrono::steady_clock::now() + pause) {}

    // Throws where the call is off; in the thread that called, also what `interrupt` throws.
    void look(bool caller) {
        if (over_.load(std::memory_order_relaxed)) throw Over();
        if (!caller || !interrupt_ || std::chrono::steady_clock::now() < next_) return;
        interrupt_();
        next_ = std::chrono::steady_clock::now() + pause;
    }

    // Calls work(rank, size) on `wanted` threads or as many as can start, this one among them. Not to be called with
    // the interpreter's lock held.
    template <class Work>
    void share(int wanted, Work work) {
        std::mutex lock;
        std::condition_variable changed;
        int size = 0, ready = 0, working = 0;
        const auto member = [&](int rank) {
            std::current_exception();  // takes what a first exception will want, while there is some
            std::unique_lock<std::mutex> hold(lock);
            ready++;
            changed.notify_all();
            changed.wait(hold, [&] { return size > 0; });
            hold.unlock();
            guarded([&] { work(rank, size); });
            hold.lock();
            if (--working == 0) changed.notify_all();
        };
        std::vector<std::thread> others;
        try {
            others.reserve(wanted);
            for (int rank = 1; rank < wanted && room(); rank++) others.emplace_back(member, rank);
        } catch (const std::system_error&) {  // there are no more threads,
        } catch (const std::bad_alloc&) {     // or no memory for one: those that have started do the work
        }
        std::unique_lock<std::mutex> hold(lock);
        working = static_cast<int>(others.size());
        changed.wait(hold, [&] { return ready == working; });
        size = working + 1;
        hold.unlock();
        changed.notify_all();
        guarded([&] { work(0, size); });
        hold.lock();
        while (!changed.wait_for(hold, pause, [&] { return working == 0; })) {
            hold.unlock();
            guarded([&] { look(true); });
            hold.lock();
        }
        hold.unlock();
        for (std::thread& t : others) t.join();
        if (failed_) std::rethrow_exception(failed_);
    }

  private:
    struct Over {};
    static constexpr std::chrono::milliseconds pause{100};

    // Whether there is memory for a thread's stack and much besides: where the system ends a process is a thread that
    // finds none for its first exception. So much is no allocator's to keep: it comes from the system and goes back.
    static bool room() {
        void* volatile spare = std::malloc(std::size_t{40} << 20);
        std::free(spare);
        return spare != nullptr;
    }

    template <class Act>
    void guarded(Act act) {
        try {
            act();
        } catch (const Over&) {
        } catch (...) {
            const std::lock_guard<std::mutex> hold(failing_);
            if (!failed_) failed_ = std::current_exception();
            over_.store(true, std::memory_order_relaxed);
        }
    }

    void (*const interrupt_)();
    std::chrono::steady_clock::time_point next_;
    std::atomic<bool> over_{false};
    std::mutex failing_;
    std::exception_ptr failed_;
};

// A place where the threads of a crew wait for each other.
class Barrier {
  public:
    void wait(Call& call, int rank, int size) {
        const unsigned turn = turn_.load(std::memory_order_acquire);
        if (here_.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
            here_.store(0, std::memory_order_relaxed);
            turn_.fetch_add(1, std::memory_order_release);
            return;
        }
        for (int spins = 0; turn_.load(std::memory_order_acquire) == turn;) {
            if (++spins < 2000) continue;
            spins = 2000;
            call.look(rank == 0);
            std::this_thread::yield();
        }
    }

  private:
    std::atomic<int> here_{0};
    std::atomic<unsigned> turn_{0};
};

// A thread of a call, as the kernels see it.
struct Member {
    Call& call;
    Barrier& barrier;
    int rank, size;
    static void look(void* self) {
        Member& me = *static_cast<Member*>(self);
        me.call.look(me.rank == 0);
    }
    static void wait(void* self) {
        Member& me = *static_cast<Member*>(self);
        me.barrier.wait(me.call, me.rank, me.size);
    }
    Crew together() { return {size, wait, look, this}; }
    Crew alone() { return {1, nullptr, look, this}; }
};

}  // namespace planaria
