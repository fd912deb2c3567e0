// The heap of the WebAssembly module: blocks side by side, the smallest free one that fits, neighbours joined. Memory
// that doesn't grow any further gives null.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

constexpr std::size_t page = 1 << 16, unit = 16, bins = 28, largest = std::size_t{1} << 31;

struct Block {                 // its content follows; sizes count it with this header
    std::size_t size, before;  // bytes of this one and of its neighbour before it
    bool used;
    unsigned char* content() { return reinterpret_cast<unsigned char*>(this) + unit; }
    Block* after() { return reinterpret_cast<Block*>(reinterpret_cast<unsigned char*>(this) + size); }
    Block* preceding() { return reinterpret_cast<Block*>(reinterpret_cast<unsigned char*>(this) - before); }
};
static_assert(sizeof(Block) <= unit, "contents are aligned");

struct Link {  // in the content of a free block
    Block *next, *last;
};
Link& link(Block* b) {
    return *reinterpret_cast<Link*>(b->content());
}

Block* waiting[bins];  // the free ones, by the powers of two of their sizes
Block* end = nullptr;  // a header behind the last one, always used

int bin(std::size_t size) {
    return 31 - __builtin_clz(static_cast<unsigned>(size)) - 4;
}

void shelve(Block* b) {
    Block*& first = waiting[bin(b->size)];
    b->used = false;
    link(b) = {first, nullptr};
    if (first) link(first).last = b;
    first = b;
}
void unshelve(Block* b) {
    const Link l = link(b);
    (l.last ? link(l.last).next : waiting[bin(b->size)]) = l.next;
    if (l.next) link(l.next).last = l.last;
}

// A free block together with its free neighbours, not shelved.
Block* joined(Block* b) {
    Block* const next = b->after();
    if (!next->used) unshelve(next), b->size += next->size;
    if (b->before && !b->preceding()->used) {
        Block* const first = b->preceding();
        unshelve(first), first->size += b->size, b = first;
    }
    b->after()->before = b->size;
    return b;
}

// Cuts what is behind `size` off a used block.
void trim(Block* b, std::size_t size) {
    if (b->size < size + 4 * unit) return;
    Block* const rest = reinterpret_cast<Block*>(reinterpret_cast<unsigned char*>(b) + size);
    *rest = {b->size - size, size, true};
    b->size = size;
    rest->after()->before = rest->size;
    shelve(joined(rest));
}

// A free block of `size` or more at the end of memory, where none is left, not shelved; null where there is no more.
Block* grown(std::size_t size) {
    if (!end) {  // what lies between the linker's data and the first page that is asked for stays unused
        const std::size_t at = __builtin_wasm_memory_grow(0, 1);
        if (at == SIZE_MAX) return nullptr;
        end = reinterpret_cast<Block*>(at * page);
        *end = {page - unit, 0, true};
        Block* const first = end;
        end = first->after();
        *end = {unit, first->size, true};
        if (first->size >= size) return first;
        shelve(first);
    }
    const std::size_t there = end->before && !end->preceding()->used ? end->before : 0;
    const std::size_t pages = (size - (there < size ? there : size) + page - 1) / page;
    if (__builtin_wasm_memory_grow(0, pages) == SIZE_MAX) return nullptr;
    Block* const made = end;
    made->size = pages * page;
    end = made->after();
    *end = {unit, made->size, true};
    return joined(made);
}

Block* found(std::size_t size) {
    for (std::size_t k = bin(size); k < bins; k++) {
        Block* best = nullptr;
        for (Block* b = waiting[k]; b; b = link(b).next)
            if (b->size >= size && (!best || b->size < best->size)) best = b;
        if (best) {
            unshelve(best);
            return best;
        }
    }
    return grown(size);
}

std::size_t whole(std::size_t bytes) {
    return (bytes < unit ? unit : (bytes + unit - 1) / unit * unit) + unit;
}

}  // namespace

extern "C" {

void* malloc(std::size_t bytes) {
    if (bytes >= largest) return nullptr;
    Block* const b = found(whole(bytes));
    if (!b) return nullptr;
    b->used = true;
    trim(b, whole(bytes));
    return b->content();
}

void free(void* content) {
    if (!content) return;
    shelve(joined(reinterpret_cast<Block*>(static_cast<unsigned char*>(content) - unit)));
}

void* calloc(std::size_t count, std::size_t bytes) {
    if (static_cast<std::uint64_t>(count) * bytes >= largest) return nullptr;
    void* const content = malloc(count * bytes);
    if (content) std::memset(content, 0, count * bytes);
    return content;
}

void* realloc(void* content, std::size_t bytes) {
    if (!content) return malloc(bytes);
    if (bytes >= largest) return nullptr;
    Block* const b = reinterpret_cast<Block*>(static_cast<unsigned char*>(content) - unit);
    Block* const next = b->after();
    if (b->size < whole(bytes) && !next->used && b->size + next->size >= whole(bytes)) {
        unshelve(next);
        b->size += next->size;
        b->after()->before = b->size;
    }
    if (b->size >= whole(bytes)) {
        trim(b, whole(bytes));
        return content;
    }
    void* const larger = malloc(bytes);
    if (!larger) return nullptr;
    std::memcpy(larger, content, b->size - unit);
    free(content);
    return larger;
}
}
